import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spadepis.labels import COCO_STUFF
from spadepis.training.crops import crop_pairs, crop_photos, draw
from spadepis.training.photos import SHORT_SIDE, Pair, read_pairs, read_photos


@pytest.fixture
def source(tmp_path: Path) -> tuple[Path, Path]:
    """Twenty pairs in which the red of the photo tells the label: 0 and 100, or 1 and 200."""
    photos, labels = tmp_path / "images", tmp_path / "labels"
    photos.mkdir()
    labels.mkdir()
    for number in range(20):
        label_map = np.zeros((40, 60), np.uint8)
        label_map[:, number:] = 1
        photo = np.zeros((40, 60, 3), np.uint8)
        photo[..., 0] = np.where(label_map, 200, 100)
        Image.fromarray(photo).save(photos / f"{number:02}.jpg", quality=95)
        Image.fromarray(label_map).save(labels / f"{number:02}.png")
    return photos, labels


def test_the_last_tenth_of_the_pairs_is_held_out(source: tuple[Path, Path]) -> None:
    split = read_pairs([source], COCO_STUFF)
    assert [len(pairs) for pairs in split.training] == [18]
    assert [len(pairs) for pairs in split.held_out] == [2]
    pair = split.held_out[0][1]
    assert pair.photo.shape == (3, SHORT_SIDE, SHORT_SIDE * 3 // 2)
    assert pair.labels.shape == pair.photo.shape[1:]
    # The twentieth: 19 of 60 columns are label 0.
    assert (pair.labels == 0).float().mean() == pytest.approx(19 / 60, abs=0.005)


def test_values_are_mapped_by_the_file_beside_the_labels(source: tuple[Path, Path]) -> None:
    mapping = {"to_coco_stuff_spade_index": {"0": 156, "1": 255}}
    (source[1].parent / "labels.json").write_text(json.dumps(mapping))
    pair = read_pairs([source], COCO_STUFF).training[0][5]
    sky, unknown = COCO_STUFF.names.index("sky-other"), COCO_STUFF.num_classes - 1
    assert torch.unique(pair.labels).tolist() == [sky, unknown]


def test_every_tenth_photo_is_held_out(source: tuple[Path, Path]) -> None:
    split = read_photos(source[0])
    assert [len(photos) for photos in (*split.training, *split.held_out)] == [18, 2]


def test_crops_keep_photo_and_labels_together(source: tuple[Path, Path]) -> None:
    pairs = read_pairs([source], COCO_STUFF).training[0]
    photos, labels = crop_pairs(pairs, 64, torch.Generator().manual_seed(0))
    assert photos.shape == (18, 3, 64, 64) and labels.shape == (18, 64, 64)
    assert 0 < labels.float().mean() < 1
    agree = (photos[:, 0] > 150 / 255) == (labels == 1)
    # Only at the border do the two kinds of interpolation differ.
    assert agree.float().mean() > 0.97


def test_crops_depend_on_the_random_numbers_alone(source: tuple[Path, Path]) -> None:
    photos = read_photos(source[0]).training[0]
    first, second, other = (
        crop_photos(photos, 32, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert first.min() >= 0 and first.max() <= 1


def test_sources_are_drawn_by_the_root_of_their_size() -> None:
    def constant(value: int, count: int) -> list[Pair]:
        photo = torch.full((3, 1, 1), value, dtype=torch.uint8)
        return [Pair(photo, photo[0])] * count

    drawn = draw([constant(0, 900), constant(1, 100)], 4000, torch.Generator().manual_seed(0))
    share = sum(int(pair.labels) for pair in drawn) / len(drawn)
    assert share == pytest.approx(10 / 40, abs=0.03)
