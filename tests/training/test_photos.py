import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spadepis.configuration import ConfigurationError
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.labels import ADE20K, CITYSCAPES, COCO_STUFF, LabelSpace
from spadepis.training.config import DataConfig
from spadepis.training.crops import crop_pairs, crop_photos, resize_pair
from spadepis.training.photos import (
    SHORT_SIDE,
    is_held_out,
    list_pairs,
    list_photos,
    read_photo,
    split_photos,
)
from spadepis.training.runs import run_job
from spadepis.training.sources import Source, draw
from spadepis.training.training_pairs import PairFolders, read_training_pairs
from tests.training.pairs import write_pair

UNKNOWN = COCO_STUFF.num_classes - 1


def test_large_photos_are_shrunk_and_small_ones_kept(tmp_path: Path) -> None:
    for width, height in ((60, 40), (1200, 800)):
        label_map = np.zeros((height, width), np.uint8)
        label_map[:, width // 2 :] = 1
        write_pair(tmp_path, tmp_path, f"{width:04}", label_map)
    small, large = (pair.read() for pair in list_pairs(tmp_path, tmp_path, COCO_STUFF))
    assert small.photo.shape == (3, 40, 60)
    assert large.photo.shape == (3, SHORT_SIDE, SHORT_SIDE * 3 // 2)
    for pair in (small, large):
        assert pair.labels.shape == pair.photo.shape[1:]
        middle = pair.labels.shape[1] // 2
        assert (pair.labels[:, :middle] == 0).all() and (pair.labels[:, middle:] == 1).all()


def test_a_pair_has_both_a_photo_and_a_label_map(source: tuple[Path, Path]) -> None:
    photos, labels = source
    (photos / "03.jpg").unlink()
    (labels / "04.png").unlink()
    with Image.open(photos / "05.jpg") as image:
        image.save(photos / "05.webp")
    (photos / "05.jpg").unlink()
    pairs = {pair.id: pair.photo.name for pair in list_pairs(photos, labels, COCO_STUFF)}
    assert len(pairs) == 18 and {"03", "04"}.isdisjoint(pairs)
    assert pairs["05"] == "05.webp"


def test_values_are_mapped_by_the_file_beside_the_labels(source: tuple[Path, Path]) -> None:
    mapping = {"to_coco_stuff_spade_index": {"0": 156, "1": 255}}
    (source[1].parent / "labels.json").write_text(json.dumps(mapping))
    labels = list_pairs(*source, COCO_STUFF)[5].read_labels()
    assert np.unique(labels).tolist() == [COCO_STUFF.names.index("sky-other"), UNKNOWN]


def test_one_in_forty_is_held_out_by_name() -> None:
    photos = [Path(f"{number}.jpg") for number in range(4000)]
    training, held_out = split_photos(photos)
    assert len(training) + len(held_out) == 4000
    assert 70 < len(held_out) < 130
    assert all(is_held_out(photo.stem) for photo in held_out)
    # However the letters of a name are written, so that no copy of it is trained on.
    for number in range(100):
        assert is_held_out(f"cafe\u0301 {number}") == is_held_out(f"caf\u00e9 {number}")


def test_held_out_pairs_are_not_trained_on(source: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / "other" / name).mkdir(parents=True)
    other = tmp_path / "other" / "images", tmp_path / "other" / "labels"
    # Of the same id as one of the source.
    write_pair(*other, "07", np.ones((40, 60), np.uint8))
    pairs = read_training_pairs([PairFolders(*source)], [PairFolders(*other)], COCO_STUFF)
    trained = {pair.id for pair in pairs.sources[0].items}
    held_out = [{pair.id for pair in of_source} for of_source in pairs.held_out]
    everything = {pair.id for pair in list_pairs(*source, COCO_STUFF)}
    assert held_out[0] == {"07"}
    assert trained == everything - held_out[1] - {"07"}


def test_rare_classes_are_drawn_more_often_and_count_more(tmp_path: Path) -> None:
    names = [str(number) for number in range(30) if not is_held_out(str(number))]
    for number, name in enumerate(names):
        label_map = np.zeros((32, 32), np.uint8)
        # One pair in all shows class 7; unknown pixels are no class.
        label_map[:8] = 7 if number == 0 else 255
        write_pair(tmp_path, tmp_path, name, label_map)
    pairs = read_training_pairs([PairFolders(tmp_path, tmp_path, 2.5)], [], COCO_STUFF)
    (source,) = pairs.sources
    assert source.weight == 2.5
    of_rare = [pair.read_labels().max() == 7 for pair in source.items]
    assert source.weights[of_rare].tolist() == [1]
    common = pytest.approx(len(names) ** -0.5)
    assert [float(weight) for weight in source.weights if weight < 1] == [common] * (len(names) - 1)
    weights = pairs.class_weights
    assert weights[7] > weights[0] > 0
    assert weights[UNKNOWN] == 0 and weights[3] == 0


@pytest.mark.parametrize(
    ("space", "unknown", "last"), [(ADE20K, 0, 150), (CITYSCAPES, 0, 33)], ids=["ade20k", "city"]
)
def test_what_stands_for_unknown_does_not_count_wherever_it_is(
    space: LabelSpace, unknown: int, last: int, tmp_path: Path
) -> None:
    for number in range(3):
        label_map = np.full((32, 32), unknown, np.uint8)
        label_map[:4], label_map[4:8] = last, 7
        write_pair(tmp_path, tmp_path, f"{number}", label_map)
    pairs = read_training_pairs([PairFolders(tmp_path, tmp_path)], [], space)
    weights = pairs.class_weights
    assert weights[unknown] == 0
    assert weights[last] == weights[7] == 1


def test_sources_are_drawn_by_their_weight_and_items_by_theirs() -> None:
    sources = [Source(["a", "b"], torch.tensor([3.0, 1.0]), 1.0), Source.of_equals(["c"] * 9)]
    drawn = draw(sources, 4000, torch.Generator().manual_seed(0))
    shares = {item: drawn.count(item) / len(drawn) for item in "abc"}
    assert shares == pytest.approx({"a": 3 / 16, "b": 1 / 16, "c": 3 / 4}, abs=0.03)


def test_crops_keep_photo_and_labels_together(source: tuple[Path, Path]) -> None:
    pairs = [pair.read() for pair in list_pairs(*source, COCO_STUFF)]
    photos, labels = crop_pairs(pairs, 64, torch.Generator().manual_seed(0))
    assert photos.shape == (20, 3, 64, 64) and labels.shape == (20, 64, 64)
    assert 0 < labels.float().mean() < 1
    agree = (photos[:, 0] > 150 / 255) == (labels == 1)
    # Only at the border do the two kinds of interpolation differ.
    assert agree.float().mean() > 0.97


def test_pairs_are_resized_together(source: tuple[Path, Path]) -> None:
    photo, labels = resize_pair(list_pairs(*source, COCO_STUFF)[15].read(), 32)
    assert photo.shape == (3, 32, 32) and labels.shape == (32, 32)
    assert (labels == 0).sum() == 8 * 32
    assert photo[0, 5, 2] == pytest.approx(100 / 255, abs=0.02)
    assert photo[0, 5, 20] == pytest.approx(200 / 255, abs=0.02)


def test_crops_depend_on_the_random_numbers_alone(source: tuple[Path, Path]) -> None:
    photos = [read_photo(path) for path in list_photos(source[0])]
    first, second, other = (
        crop_photos(photos, 32, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert first.min() >= 0 and first.max() <= 1


def test_folders_are_given_with_an_optional_weight(tmp_path: Path) -> None:
    config = DataConfig(data=tmp_path)
    assert config.folders(["a:b", "c:d:0.5"]) == [
        PairFolders(tmp_path / "a", tmp_path / "b"),
        PairFolders(tmp_path / "c", tmp_path / "d", 0.5),
    ]
    for wrong in ("a", "a:b:c", "a:b:-1"):
        with pytest.raises(ConfigurationError, match=f"{wrong} is not PHOTOS:LABELS"):
            config.folders([wrong])


def test_folders_without_pairs_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--pairs: name the folders to train on"):
        read_training_pairs([], [], COCO_STUFF)
    empty = PairFolders(tmp_path / "photos", tmp_path / "labels")
    with pytest.raises(ConfigurationError, match=f"{tmp_path}/photos has no photo"):
        read_training_pairs([empty], [], COCO_STUFF)
    empty.photos.mkdir()
    write_pair(empty.photos, tmp_path, "1", np.zeros((8, 8), np.uint8))
    own = PairFolders(empty.photos, tmp_path)
    # Else pairs that were to be held out would be trained on.
    with pytest.raises(ConfigurationError, match=f"no photo in {empty.photos} has a label map in"):
        read_training_pairs([own], [empty], COCO_STUFF)


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png", "values.png"])
def test_a_file_that_cannot_be_used_is_named(
    source: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    photos, labels = source
    (pair, *_) = list_pairs(photos, labels, COCO_STUFF)
    broken = tmp_path / name
    if name == "values.png":
        Image.fromarray(np.full((8, 8), 200, np.uint8)).save(broken)
    else:
        whole = (pair.photo if name.endswith("jpg") else pair.labels).read_bytes()
        broken.write_bytes(whole[: len(whole) // 2])
    pair = replace(pair, photo=broken) if name.endswith("jpg") else replace(pair, labels=broken)
    with pytest.raises(UnreadableImageError, match=f"^{re.escape(str(broken))}: "):
        pair.read()


def test_a_training_that_meets_such_a_file_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def job(config: DataConfig) -> None:
        read_photo(config.data / "absent.jpg")

    assert run_job(DataConfig, job, [f"--data={tmp_path}"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/absent.jpg: ")


@pytest.mark.parametrize("resumes", [True, False])
def test_only_what_resumes_says_so(
    resumes: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def job(config: DataConfig) -> None:
        raise OSError("disk full")

    assert run_job(DataConfig, job, [f"--data={tmp_path}"], resumes) == 1
    assert ("resumes" in capsys.readouterr().err) == resumes
