"""Label maps that are not numbered as their label space says are recognised, others are not."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spadepis.labels import (
    ADE20K,
    ADE20K_0_TO_149,
    CITYSCAPES,
    CITYSCAPES_TRAIN_IDS,
    COCO_STUFF,
    COCO_STUFF_1_TO_182,
    LABEL_SPACES,
    LabelSpace,
)
from spadepis.labels.numbering import find_misnumbering, suspect_misnumbering, unlabelled_values
from spadepis.labels.plausibility import FEWEST_MAPS, Histogram, count_values, mean_heights

SHARED = Path(__file__).parents[3] / "shared"
DEMO = Path(__file__).parents[2] / "spadepis" / "demo" / "inputs" / "masks"
REAL = [
    ("coco_stuff/val_label", COCO_STUFF),
    ("coco_stuff/train_label", COCO_STUFF),
    ("coco_stuff_val/labels", COCO_STUFF),
    ("landscapes_coco_stuff/labels", COCO_STUFF),
    ("ade20k_val/labels", ADE20K),
]
NUMBERINGS = {
    COCO_STUFF: COCO_STUFF_1_TO_182,
    ADE20K: ADE20K_0_TO_149,
    CITYSCAPES: CITYSCAPES_TRAIN_IDS,
}


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def histograms_of(folder: Path) -> Mapping[str, Histogram]:
    return {path.name: count_values(read(path)) for path in sorted(folder.glob("*.png"))}


def renumbered(
    histograms: Mapping[str, Histogram], usual: LabelSpace, other: LabelSpace
) -> Mapping[str, Histogram]:
    values = dict(zip(usual.raw_values, other.raw_values, strict=True))
    return {
        name: {int(values[value] or 0): count for value, count in histogram.items()}
        for name, histogram in histograms.items()
    }


def likely(space: LabelSpace, histograms: Mapping[str, Histogram]) -> str | None:
    """The label space that the message recommends."""
    message = find_misnumbering(space, histograms)
    if message is None:
        return None
    assert "\n" not in message
    return message.rpartition("--label-space ")[2]


def assert_told_apart(histograms: Mapping[str, Histogram], right: LabelSpace) -> None:
    assert len(histograms) >= FEWEST_MAPS
    for given in LABEL_SPACES.values():
        assert likely(given, histograms) == (None if given == right else right.name)


def test_the_label_maps_of_the_demonstration() -> None:
    histograms = histograms_of(DEMO)
    assert_told_apart(histograms, COCO_STUFF)
    other = renumbered(histograms, COCO_STUFF, COCO_STUFF_1_TO_182)
    assert_told_apart(other, COCO_STUFF_1_TO_182)


@pytest.mark.skipif(not SHARED.exists(), reason="the sample data is not here")
@pytest.mark.parametrize(("folder", "right"), REAL)
def test_real_label_maps_as_each_label_space(folder: str, right: LabelSpace) -> None:
    histograms = histograms_of(SHARED / "data" / folder)
    assert_told_apart(histograms, right)
    other = NUMBERINGS[right]
    assert_told_apart(renumbered(histograms, right, other), other)


@dataclass(frozen=True)
class Maps:
    """Histograms and heights of the label maps of a set, by file name."""

    histograms: Mapping[str, Histogram]
    heights: Mapping[str, Mapping[int, float]]

    def renumbered(self, numbers: Mapping[int, int]) -> "Maps":
        """With other numbers for the values; values that become one are put together."""
        histograms, heights = {}, {}
        for name, histogram in self.histograms.items():
            counts: Counter[int] = Counter()
            sums: dict[int, float] = defaultdict(float)
            for value, count in histogram.items():
                counts[numbers[value]] += count
                sums[numbers[value]] += count * self.heights[name].get(value, 0.5)
            histograms[name] = counts
            heights[name] = {value: sums[value] / counts[value] for value in counts}
        return Maps(histograms, heights)

    def accepted(self, space: LabelSpace, draws: int = 50) -> int:
        """How many of so many draws of eight label maps pass as those of a label space."""
        generator = np.random.default_rng(0)
        accepted = 0
        for _ in range(draws):
            drawn = generator.choice(sorted(self.histograms), 8, replace=False)
            histograms = {name: self.histograms[name] for name in drawn}
            heights = {name: self.heights[name] for name in drawn}
            accepted += find_misnumbering(space, histograms, heights) is None
        return accepted


def maps_of(folder: str, most: int = 120) -> Maps:
    """Label maps of the sample data, spread over the folder."""
    paths = sorted((SHARED / "data" / folder).glob("*.png"))
    maps = {path.name: read(path) for path in paths[:: -(-len(paths) // most)]}
    return Maps(
        {name: count_values(label_map) for name, label_map in maps.items()},
        {name: mean_heights(label_map) for name, label_map in maps.items()},
    )


def numbers_between(one: LabelSpace, other: LabelSpace) -> Mapping[int, int]:
    pairs = zip(one.raw_values, other.raw_values, strict=True)
    return {value: 255 if to is None else to for value, to in pairs if value is not None}


@pytest.mark.skipif(not SHARED.exists(), reason="the sample data is not here")
@pytest.mark.parametrize(("folder", "right"), REAL)
def test_any_eight_real_label_maps_are_told_apart(folder: str, right: LabelSpace) -> None:
    maps = maps_of(folder)
    other = NUMBERINGS[right]
    renumbered = maps.renumbered(numbers_between(right, other))
    for found, truth in ((maps, right), (renumbered, other)):
        for given in LABEL_SPACES.values():
            assert found.accepted(given) == (50 if given == truth else 0), given.name


# What the classes of two street datasets are in Cityscapes.
IN_CITYSCAPES = {
    **{name: name for name in ("sky", "building", "pole", "road", "fence", "car")},
    **{"pavement": "sidewalk", "tree": "vegetation", "signsymbol": "traffic sign"},
    **{"pedestrian": "person", "bicyclist": "rider", "vegetation": "vegetation"},
    **{"door": "building", "window": "building", "unlabelled": "unlabeled"},
    "various": "unlabeled",
}


@pytest.mark.skipif(not SHARED.exists(), reason="the sample data is not here")
@pytest.mark.parametrize("folder", ["train_camvid", "train_labelmefacade"])
def test_any_eight_street_scenes_of_another_dataset(folder: str) -> None:
    """Shares and thresholds were not measured on them, but for those of Cityscapes on CamVid."""
    maps = maps_of(f"{folder}/labels")
    about = json.loads((SHARED / "data" / folder / "labels.json").read_text())
    cityscapes = dict(zip(CITYSCAPES.names, CITYSCAPES.raw_values, strict=True))
    street = {i: cityscapes[IN_CITYSCAPES[name]] or 0 for i, name in enumerate(about["names"])}
    numbers = {
        COCO_STUFF: {int(k): v for k, v in about["to_coco_stuff_spade_index"].items()},
        ADE20K: {int(k): v for k, v in about["to_ade20k_raw_index_1based"].items()},
        CITYSCAPES: street,
    }
    for right, to in numbers.items():
        other = NUMBERINGS[right]
        found = maps.renumbered(to)
        for mapped, truth in (
            (found, right),
            (found.renumbered(numbers_between(right, other)), other),
        ):
            for given in LABEL_SPACES.values():
                accepted = mapped.accepted(given)
                assert accepted == (50 if given == truth else 0), (truth.name, given.name)
    # With numbers of their own, from 0 or from 1, they are of no published label space.
    for shift in (0, 1):
        own = maps.renumbered({value: value + shift for value in street})
        for given in LABEL_SPACES.values():
            assert own.accepted(given) == 0, (shift, given.name)
    message = find_misnumbering(ADE20K, maps.histograms, maps.heights)
    assert message is not None and "numbering of their own, not that of ade20k" in message


def test_heights() -> None:
    label_map = np.repeat([3, 3, 7, 7], 100).reshape(400, 1).repeat(300, 1)
    assert mean_heights(label_map) == pytest.approx({3: 0.75, 7: 0.25})
    assert mean_heights(np.array([[5]])) == {5: 0.5}


STREET = {"road": 300, "building": 240, "sky": 160, "vegetation": 110, "sidewalk": 70, "car": 50}


@pytest.mark.parametrize("right", [CITYSCAPES, CITYSCAPES_TRAIN_IDS])
def test_street_scenes(right: LabelSpace) -> None:
    classes = STREET | {"unlabeled": 30, "person": 10}
    values = {name: right.raw_values[right.names.index(name)] for name in classes}
    scene = {int(values[name] or 0): count for name, count in classes.items()}
    assert_told_apart({f"{index}.png": scene for index in range(FEWEST_MAPS)}, right)


def test_names_of_files_are_enough() -> None:
    train = {"aachen/a_gtFine_labelTrainIds.png": {0: 9, 255: 1}}
    assert likely(CITYSCAPES, train) == "cityscapes-train-ids"
    assert find_misnumbering(CITYSCAPES_TRAIN_IDS, train) is None
    usual = {"aachen/a_gtFine_labelIds.png": {0: 1, 7: 9}}
    assert likely(CITYSCAPES_TRAIN_IDS, usual) == "cityscapes"
    assert find_misnumbering(CITYSCAPES, usual) is None
    # Names of folders tell of something else.
    assert find_misnumbering(ADE20K, {"without_labelIds/a.png": {3: 9}}) is None


def test_values_of_no_class_are_enough() -> None:
    assert likely(ADE20K, {"a": {0: 5, 2: 5}, "b": {255: 1, 149: 9}}) == "ade20k-0-to-149"
    assert likely(COCO_STUFF, {"a": {0: 5, 182: 5}}) == "coco-stuff-1-to-182"
    assert likely(COCO_STUFF_1_TO_182, {"a": {0: 5, 255: 5}}) == "coco-stuff"
    # The values fit no numbering: every such label map is a failed row that names its values.
    assert find_misnumbering(ADE20K, {"a": {200: 1}, "b": {0: 1}}) is None


def test_license_plates_are_not_taken_for_granted() -> None:
    assert likely(CITYSCAPES, {"a": {0: 5, 10: 2, 255: 1}}) == "cityscapes-train-ids"
    message = find_misnumbering(CITYSCAPES, {"a": {7: 5, 26: 2}, "b": {7: 5, 26: 2, 255: 1}})
    assert message is not None and message.startswith("1 of 2 label maps hold 255")
    assert find_misnumbering(CITYSCAPES, {"a": {7: 5, 26: 2}}) is None
    assert "hold -1" in (find_misnumbering(CITYSCAPES, {"a": {7: 5, 26: 2, -1: 1}}) or "")
    assert unlabelled_values(CITYSCAPES).keys() == {255, -1} and not unlabelled_values(ADE20K)


def test_few_label_maps_and_label_spaces_of_your_own_are_not_judged_by_content() -> None:
    ade = {f"{index}": {1: 50, 3: 30, 6: 20} for index in range(FEWEST_MAPS)}
    assert likely(COCO_STUFF, ade) == "ade20k"
    ade.popitem()
    assert find_misnumbering(COCO_STUFF, ade) is None
    # But it is said.
    assert "seem to be ade20k, not coco-stuff" in (suspect_misnumbering(COCO_STUFF, ade, {}) or "")
    assert suspect_misnumbering(ADE20K, ade, {}) is None
    own = LabelSpace("own", ("a",), COCO_STUFF.colours[:1], False, (64, 64), (1,))
    assert find_misnumbering(own, {"a_labelTrainIds.png": {200: 1}}) is None
    assert find_misnumbering(COCO_STUFF, {}) is None


def test_noise_is_like_no_label_space() -> None:
    generator = np.random.default_rng(0)
    for space, values in ((COCO_STUFF, 182), (ADE20K, 151)):
        for _ in range(20):
            maps = [generator.integers(0, values, (3, 3)) for _ in range(8)]
            histograms = {str(i): count_values(each) for i, each in enumerate(maps)}
            heights = {str(i): mean_heights(each) for i, each in enumerate(maps)}
            assert find_misnumbering(space, histograms, heights) is None


@pytest.mark.skipif(not SHARED.exists(), reason="the sample data is not here")
def test_a_single_label_map_that_nothing_gives_away_is_said_to_be_suspicious() -> None:
    raw = read(SHARED / "cases/numbering/ade_reduced/no255.png")
    histograms, heights = {"a.png": count_values(raw)}, {"a.png": mean_heights(raw)}
    assert find_misnumbering(ADE20K, histograms, heights) is None
    suspicion = suspect_misnumbering(ADE20K, histograms, heights)
    assert suspicion is not None and suspicion.endswith("Give --label-space ade20k-0-to-149")
    assert suspect_misnumbering(ADE20K_0_TO_149, histograms, heights) is None


@pytest.mark.skipif(not SHARED.exists(), reason="the sample data is not here")
@pytest.mark.parametrize(
    ("file", "given", "truth", "right", "usual"),
    [
        ("trainids/aachen_000000_000019_gtFine_labelTrainIds.png", CITYSCAPES,
         "labelids_truth.png", CITYSCAPES_TRAIN_IDS, CITYSCAPES),
        ("ade_reduced/a.png", ADE20K, "ade_truth.png", ADE20K_0_TO_149, ADE20K),
    ],
)  # fmt: skip
def test_files_as_users_have_them(
    file: str, given: LabelSpace, truth: str, right: LabelSpace, usual: LabelSpace
) -> None:
    raw = read(SHARED / "cases" / "numbering" / file)
    assert likely(given, {file: count_values(raw)}) == right.name
    found, expected = right.decode(raw), usual.decode(read(SHARED / "cases/numbering" / truth))
    # Classes that train ids ignore are unlabelled.
    told = found != right.names.index(usual.names[0])
    np.testing.assert_array_equal(found[told], expected[told])
    assert told.mean() > 0.8
    np.testing.assert_array_equal(right.encode(found), raw)
