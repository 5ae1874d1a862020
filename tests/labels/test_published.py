"""Label spaces, their raw values, and instance edges."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    instance_edges,
)

DATA = Path(__file__).parents[3] / "shared" / "data"
SPACES = pytest.mark.parametrize("space", LABEL_SPACES.values(), ids=LABEL_SPACES)


@pytest.mark.parametrize(
    ("space", "num_classes", "semantic_channels", "size"),
    [
        (COCO_STUFF, 183, 184, (256, 256)),
        (ADE20K, 151, 151, (256, 256)),
        (CITYSCAPES, 35, 36, (256, 512)),
        (COCO_STUFF_1_TO_182, 183, 184, (256, 256)),
        (ADE20K_0_TO_149, 151, 151, (256, 256)),
        (CITYSCAPES_TRAIN_IDS, 35, 36, (256, 512)),
    ],
    ids=LABEL_SPACES,
)
def test_counts(
    space: LabelSpace, num_classes: int, semantic_channels: int, size: tuple[int, int]
) -> None:
    assert space.num_classes == len(space.names) == num_classes
    assert len(set(space.names)) == len(space.raw_values) == num_classes
    values = values_of(space)
    assert len(set(values)) == len(values)
    assert space.semantic_channels == semantic_channels
    assert space.size == size
    assert LABEL_SPACES[space.name] is space


@pytest.mark.parametrize(
    ("space", "index", "name"),
    [
        (COCO_STUFF, 0, "person"),
        (COCO_STUFF, 11, "street sign"),
        (COCO_STUFF, 82, "blender"),
        (COCO_STUFF, 90, "hair brush"),
        (COCO_STUFF, 91, "banner"),
        (COCO_STUFF, 95, "building-other"),
        (COCO_STUFF, 148, "road"),
        (COCO_STUFF, 156, "sky-other"),
        (COCO_STUFF, 168, "tree"),
        (COCO_STUFF, 181, "wood"),
        (COCO_STUFF, 182, "unknown"),
        (ADE20K, 0, "unknown"),
        (ADE20K, 1, "wall"),
        (ADE20K, 21, "car"),
        (ADE20K, 90, "television"),
        (ADE20K, 128, "bicycle"),
        (ADE20K, 150, "flag"),
        (CITYSCAPES, 0, "unlabeled"),
        (CITYSCAPES, 7, "road"),
        (CITYSCAPES, 23, "sky"),
        (CITYSCAPES, 33, "bicycle"),
        (CITYSCAPES, 34, "license plate"),
    ],
)
def test_known_indices(space: LabelSpace, index: int, name: str) -> None:
    assert space.names[index] == name


def test_coco_stuff_holds_its_stuff_classes_in_alphabetical_order() -> None:
    stuff = COCO_STUFF.names[91:182]
    assert list(stuff) == sorted(stuff)


def values_of(space: LabelSpace) -> list[int]:
    return [value for value in space.raw_values if value is not None]


def indices_of(space: LabelSpace) -> list[int]:
    return [index for index, value in enumerate(space.raw_values) if value is not None]


@SPACES
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64, np.uint64])
def test_round_trip_over_all_raw_values(space: LabelSpace, dtype: type[np.integer]) -> None:
    raw = np.array([values_of(space)], dtype)
    indices = space.decode(raw)
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(indices, [indices_of(space)])
    encoded = space.encode(indices)
    assert encoded.dtype == np.uint8
    np.testing.assert_array_equal(encoded, raw)


def test_values_that_are_not_the_index() -> None:
    assert COCO_STUFF.decode(np.full((2, 3), 255, np.uint8)).tolist() == [[182] * 3] * 2
    for unsigned in (np.uint8, np.uint16):
        assert CITYSCAPES.decode(np.array([[255]], unsigned)).item() == 34
    for signed in (np.int8, np.int16, np.int64):
        assert CITYSCAPES.decode(np.array([[-1]], signed)).item() == 34


def test_other_numberings_hold_the_same_classes() -> None:
    for usual, other, value_in_usual, value_in_other in (
        (COCO_STUFF, COCO_STUFF_1_TO_182, 156, 157),
        (COCO_STUFF, COCO_STUFF_1_TO_182, 255, 0),
        (ADE20K, ADE20K_0_TO_149, 3, 2),
        (ADE20K, ADE20K_0_TO_149, 0, 255),
        (CITYSCAPES, CITYSCAPES_TRAIN_IDS, 7, 0),
        (CITYSCAPES, CITYSCAPES_TRAIN_IDS, 33, 18),
        (CITYSCAPES, CITYSCAPES_TRAIN_IDS, 0, 255),
    ):
        assert (other.names, other.size) == (usual.names, usual.size)
        assert other.semantic_channels == usual.semantic_channels
        assert other.generator_space == usual.generator_space == usual.name
        values = [np.array([[value]], np.uint8) for value in (value_in_usual, value_in_other)]
        assert usual.decode(values[0]) == other.decode(values[1])


def test_classes_that_a_numbering_ignores_have_no_value() -> None:
    parking = CITYSCAPES.names.index("parking")
    with pytest.raises(ValueError, match="cityscapes-train-ids: no value stands for parking"):
        CITYSCAPES_TRAIN_IDS.encode(np.array([[0, parking]]))


@SPACES
def test_every_other_value_is_refused(space: LabelSpace) -> None:
    accepted = {*space.raw_values, *space.published_values}
    for value in {*range(-3, 260), 65535, 2**40, -(2**40)} - accepted:
        with pytest.raises(ValueError, match=rf"{space.name}: .* {value} \(1 of 2 pixels\)"):
            space.decode(np.array([[0, value]], np.int64))


def test_refusal_names_at_most_five_values() -> None:
    raw = np.array([[0, 182, 183, 184], [185, 254, 182, 255]], np.uint8)
    with pytest.raises(ValueError) as five:
        COCO_STUFF.decode(raw)
    message = "coco-stuff: no class has the raw value 182, 183, 184, 185, 254 (6 of 8 pixels)"
    assert str(five.value) == message
    raw[0, 0] = 200
    with pytest.raises(ValueError, match=r"182, 183, 184, 185, 200, \.\.\. \(7 of 8 pixels\)"):
        COCO_STUFF.decode(raw)


@pytest.mark.parametrize(
    ("raw", "given"),
    [
        (np.zeros((4, 5, 3), np.uint8), r"uint8 of shape \[4, 5, 3\]"),
        (np.zeros(4, np.uint8), r"uint8 of shape \[4\]"),
        (np.zeros((4, 5), np.float32), r"float32 of shape \[4, 5\]"),
        (np.zeros((4, 5), np.bool_), r"bool of shape \[4, 5\]"),
    ],
)
def test_refuses_what_is_not_a_label_map(raw: NDArray[np.generic], given: str) -> None:
    with pytest.raises(ValueError, match=f"ade20k: a label map has one channel .* got {given}"):
        ADE20K.decode(raw)


@SPACES
def test_colours_are_read_only(space: LabelSpace) -> None:
    assert space.colours.shape == (space.num_classes, 3)
    assert space.colours.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        space.colours[0] = 1


def test_colours() -> None:
    for space in (COCO_STUFF, ADE20K):
        assert len(np.unique(space.colours, axis=0)) == space.num_classes
        assert space.colours[space.names.index("unknown")].tolist() == [0, 0, 0]
    # The colours of aeroplane, person and TV monitor in PASCAL VOC.
    assert ADE20K.colours[[1, 15, 20]].tolist() == [[128, 0, 0], [192, 128, 128], [0, 64, 128]]
    assert CITYSCAPES.colours[7].tolist() == [128, 64, 128]


def test_colourize() -> None:
    image = CITYSCAPES.colourize(np.array([[7, 23], [34, 7]]))
    assert image.dtype == np.uint8
    road, sky, plate = [128, 64, 128], [70, 130, 180], [0, 0, 142]
    assert image.tolist() == [[road, sky], [plate, road]]


@SPACES
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(space: LabelSpace, protocol: int) -> None:
    raw = np.array([values_of(space)], np.uint8)
    indices = space.decode(raw)
    copy: LabelSpace = pickle.loads(pickle.dumps(space, protocol))
    assert (copy.name, copy.names, copy.size) == (space.name, space.names, space.size)
    assert copy.semantic_channels == space.semantic_channels
    assert not copy.colours.flags.writeable
    np.testing.assert_array_equal(copy.colours, space.colours)
    np.testing.assert_array_equal(copy.decode(raw), indices)
    assert copy == space and hash(copy) == hash(space) and copy is not space
    assert {space: "found"}[copy] == "found"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"names": ("crowd", *COCO_STUFF.names[1:])},
        {"colours": COCO_STUFF.colours[::-1]},
        {"has_instance_edges": False},
        {"size": (512, 512)},
        {"published_values": (*range(183),)},
    ],
    ids=str,
)
def test_label_spaces_of_other_content_are_not_equal(change: dict[str, Any]) -> None:
    assert replace(COCO_STUFF) == COCO_STUFF
    other = replace(COCO_STUFF, **change)
    assert other != COCO_STUFF
    assert pickle.loads(pickle.dumps(other)) == other
    assert COCO_STUFF != "coco-stuff"


def edges_by_double_loop(ids: NDArray[np.integer]) -> NDArray[np.bool_]:
    height, width = ids.shape
    edges = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            for v, u in ((y, x + 1), (y, x - 1), (y - 1, x), (y + 1, x)):
                if 0 <= v < height and 0 <= u < width and ids[v, u] != ids[y, x]:
                    edges[y, x] = True
    return edges


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 1), (9, 13)])
def test_instance_edges(shape: tuple[int, int], dtype: type[np.integer]) -> None:
    rng = np.random.default_rng(0)
    maps = np.stack([rng.integers(0, high, shape) for high in (1, 2, 4)]).astype(dtype)
    expected = np.stack([edges_by_double_loop(ids) for ids in maps])
    assert instance_edges(maps).dtype == np.bool_
    np.testing.assert_array_equal(instance_edges(maps), expected)
    np.testing.assert_array_equal(instance_edges(maps[1]), expected[1])


@pytest.mark.skipif(not DATA.exists(), reason="the sample data is not here")
@pytest.mark.parametrize(
    ("folder", "space"),
    [
        ("coco_stuff/train_label", COCO_STUFF),
        ("coco_stuff/val_label", COCO_STUFF),
        ("coco_stuff_val/labels", COCO_STUFF),
        ("landscapes_coco_stuff/labels", COCO_STUFF),
        ("ade20k_val/labels", ADE20K),
    ],
)
def test_real_label_maps_decode(folder: str, space: LabelSpace) -> None:
    paths = sorted((DATA / folder).glob("*.png"))
    assert paths
    for path in paths:
        with Image.open(path) as image:
            raw = np.asarray(image)
        np.testing.assert_array_equal(space.encode(space.decode(raw)), raw)


@pytest.mark.skipif(not DATA.exists(), reason="the sample data is not here")
@pytest.mark.parametrize("folder", ["train_camvid", "train_labelmefacade"])
@pytest.mark.parametrize(
    ("key", "space"),
    [("to_coco_stuff_spade_index", COCO_STUFF), ("to_ade20k_raw_index_1based", ADE20K)],
)
def test_names_agree_with_the_maps_of_other_datasets(
    folder: str, key: str, space: LabelSpace
) -> None:
    labels = json.loads((DATA / folder / "labels.json").read_text())
    for word in ("road", "sky", "building", "car"):
        raw = labels[key][str(labels["names"].index(word))]
        index = space.decode(np.array([[raw]])).item()
        assert space.names[index].removesuffix("-other") == word


@pytest.mark.skipif(not DATA.exists(), reason="the sample data is not here")
def test_names_agree_with_the_coco_stuff_samples() -> None:
    labels = json.loads((DATA / "train_coco_stuff" / "labels.json").read_text())
    published = {int(raw): name for raw, name in labels["names"].items() if int(raw) < 182}
    assert published == dict(enumerate(COCO_STUFF.names[:182]))
