"""Label maps that are not numbered as their label space says are recognised, others are not."""

from collections.abc import Mapping
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
from spadepis.labels.numbering import (
    FEWEST_MAPS,
    Histogram,
    count_values,
    find_misnumbering,
)

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


@pytest.mark.skipif(not SHARED.exists(), reason="the sample data is not here")
@pytest.mark.parametrize(("folder", "right"), REAL)
def test_any_eight_real_label_maps_are_plausible(folder: str, right: LabelSpace) -> None:
    histograms = histograms_of(SHARED / "data" / folder)
    generator = np.random.default_rng(0)
    for _ in range(50):
        names = generator.choice(sorted(histograms), FEWEST_MAPS, replace=False)
        assert find_misnumbering(right, {name: histograms[name] for name in names}) is None


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


def test_few_label_maps_and_label_spaces_of_your_own_are_not_judged_by_content() -> None:
    ade = {f"{index}": {1: 50, 3: 30, 6: 20} for index in range(FEWEST_MAPS)}
    assert likely(COCO_STUFF, ade) == "ade20k"
    ade.popitem()
    assert find_misnumbering(COCO_STUFF, ade) is None
    own = LabelSpace("own", ("a",), COCO_STUFF.colours[:1], False, (64, 64), (1,))
    assert find_misnumbering(own, {"a_labelTrainIds.png": {200: 1}}) is None
    assert find_misnumbering(COCO_STUFF, {}) is None


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
