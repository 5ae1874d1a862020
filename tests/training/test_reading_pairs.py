"""Pairs as users have them: turned, hidden, in other encodings, and unclear ones."""

import io
import json
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from spadepis.configuration import ConfigurationError
from spadepis.dataset.ids import composed
from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.labels import ADE20K, CITYSCAPES, COCO_STUFF, COCO_STUFF_1_TO_182, LabelSpace
from spadepis.training.packing import unpack, write_pack
from spadepis.training.photos import SHORT_SIDE, list_pairs, list_photos
from spadepis.training.training_pairs import PairFolders, read_training_pairs


def test_photos_may_be_png_but_for_those_that_are_label_maps(source: tuple[Path, Path]) -> None:
    photos, labels = source
    with Image.open(photos / "05.jpg") as image:
        image.save(photos / "05.PNG")
    (photos / "05.jpg").unlink()
    pairs = {pair.id: pair for pair in list_pairs(photos, labels, COCO_STUFF)}
    assert pairs["05"].photo.name == "05.PNG"
    assert (pairs["05"].read().labels[:, :5] == 0).all()
    (labels / "03.jpg").write_bytes((photos / "03.jpg").read_bytes())
    (pair,) = list_pairs(labels, labels, COCO_STUFF)
    assert (pair.photo.name, pair.labels.name) == ("03.jpg", "03.png")
    assert [path.name for path in list_photos(labels, labels)] == ["03.jpg"]


def test_hidden_files_are_passed_over(source: tuple[Path, Path]) -> None:
    photos, labels = source
    # What macOS writes beside files on other filesystems.
    for path in (photos / "._00.jpg", labels / "._00.png"):
        path.write_bytes(b"\0\5\x16\7" + bytes(100))
    assert len(list_photos(photos)) == 20
    (trained,) = read_training_pairs([PairFolders(photos, labels)], [], COCO_STUFF).sources
    assert all(not pair.id.startswith(".") for pair in trained.items)


def test_names_are_the_same_whichever_way_their_letters_are_written(
    source: tuple[Path, Path], tmp_path: Path
) -> None:
    photos, labels = source
    held_out = tmp_path / "held_out"
    held_out.mkdir()
    (photos / "03.jpg").rename(photos / "f\u00fcr.jpg")
    (labels / "03.png").rename(labels / "fu\u0308r.png")
    for path in (photos / "f\u00fcr.jpg", labels / "fu\u0308r.png"):
        (held_out / f"fu\u0308r{path.suffix}").write_bytes(path.read_bytes())
    assert "f\u00fcr" in [composed(pair.id) for pair in list_pairs(photos, labels, COCO_STUFF)]
    own = PairFolders(held_out, held_out)
    (trained,) = read_training_pairs([PairFolders(photos, labels)], [own], COCO_STUFF).sources
    assert "f\u00fcr" not in [composed(pair.id) for pair in trained.items]


def test_folders_are_no_photos(source: tuple[Path, Path]) -> None:
    photos, labels = source
    (photos / "folder.jpg").mkdir()
    (labels / "folder.png").mkdir()
    assert len(list_pairs(photos, labels, COCO_STUFF)) == 20


def test_license_plates_are_no_class_to_learn(source: tuple[Path, Path]) -> None:
    photos, labels = source
    values = np.full((8, 8), 7, np.uint8)
    values[0] = 255
    with Image.open(photos / "03.jpg") as photo:
        photo.resize((8, 8)).save(photos / "03.jpg")
    Image.fromarray(values).save(labels / "03.png")
    (pair,) = [each for each in list_pairs(photos, labels, CITYSCAPES) if each.id == "03"]
    with pytest.raises(UnreadableImageError, match="255, which stands for license plates"):
        pair.read_labels()


def test_a_pack_holds_what_lies_in_its_data_folder(source: tuple[Path, Path]) -> None:
    photos, labels = source
    pairs = read_training_pairs([PairFolders(photos, labels)], [], COCO_STUFF)
    path = photos.parent / "pack.zip"
    for data in (labels, photos / ".." / "elsewhere"):
        with pytest.raises(ConfigurationError, match="does not lie in --data"):
            write_pack(path, data, pairs, [], {}, megabytes=1)
    path.write_bytes(b"PK")
    with pytest.raises(ConfigurationError, match="cannot be unpacked"):
        unpack(path, photos.parent / "unpacked")


def test_photos_of_the_same_name_are_refused(source: tuple[Path, Path]) -> None:
    photos, labels = source
    (photos / "03.jpeg").write_bytes((photos / "04.jpg").read_bytes())
    with pytest.raises(ConfigurationError, match=r"03\.jpeg and .*03\.jpg have the same name"):
        list_pairs(photos, labels, COCO_STUFF)


ORIENTATION = 0x0112


def write_turned(photos: Path, labels: Path, name: str, orientation: int, displayed: bool) -> None:
    """A photo whose upper quarter is bright once it is turned, and there its label is 1."""
    shown = np.zeros((640, 480), np.uint8)
    shown[:160] = 1
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    # Of 6 the stored photo has to be turned clockwise, of 3 by half.
    stored = np.rot90(shown, 1 if orientation == 6 else 2)
    photo = Image.fromarray(np.where(stored, 200, 50).astype(np.uint8)).convert("RGB")
    photo.save(photos / f"{name}.jpg", quality=95, exif=exif)
    Image.fromarray(shown if displayed else stored.copy()).save(labels / f"{name}.png")


@pytest.mark.parametrize("displayed", [False, True], ids=["stored", "displayed"])
def test_photos_are_turned_and_label_maps_with_them(displayed: bool, tmp_path: Path) -> None:
    write_turned(tmp_path, tmp_path, "quarter", 6, displayed)
    # By its size alone one cannot tell on which grid this one lies; its neighbour shows it.
    write_turned(tmp_path, tmp_path, "upside_down", 3, displayed)
    for pair_file in list_pairs(tmp_path, tmp_path, COCO_STUFF):
        pair = pair_file.read()
        assert pair.photo.shape == (3, 341, SHORT_SIDE)
        for read in (pair, pair_file.read_at_size_of_labels()):
            bright = read.photo[0] > 125
            assert (bright == (read.labels == 1)).float().mean() > 0.99
            assert bright[: len(bright) // 5].all() and not bright[len(bright) // 3 :].any()


def test_a_grid_that_cannot_be_told_can_be_given(tmp_path: Path) -> None:
    write_turned(tmp_path, tmp_path, "upside_down", 3, displayed=True)
    (pair,) = list_pairs(tmp_path, tmp_path, COCO_STUFF)
    with pytest.raises(UnreadableImageError, match=r"upside_down\.png: .*--label-grid"):
        pair.read()
    (pair,) = list_pairs(tmp_path, tmp_path, COCO_STUFF, grid="displayed")
    assert (pair.read().labels[:80] == 1).all()


def test_packs_hold_pairs_as_they_are_displayed(tmp_path: Path) -> None:
    photos, labels = tmp_path / "data/images", tmp_path / "data/labels"
    for folder in (photos, labels):
        folder.mkdir(parents=True)
    write_turned(photos, labels, "quarter", 6, displayed=False)
    mapping = {"to_coco_stuff_spade_index": {"0": 156, "1": 123}}
    (tmp_path / "data/labels.json").write_text(json.dumps(mapping))
    pairs = read_training_pairs([PairFolders(photos, labels)], [], COCO_STUFF)
    assert write_pack(tmp_path / "pack.zip", tmp_path / "data", pairs, [], {}, megabytes=1) == 1
    unpack(tmp_path / "pack.zip", tmp_path / "again")
    (again,) = list_pairs(tmp_path / "again/images", tmp_path / "again/labels", COCO_STUFF)
    (pair,) = pairs.sources[0].items
    assert again.photo.suffix == ".webp"
    assert torch.equal(again.read().labels, pair.read().labels)
    assert (again.read().photo.float() - pair.read().photo).abs().mean() < 4


def grey_png(values: NDArray[np.uint8], bits: int) -> bytes:
    """A grey PNG file of few bits, as optimizers write it."""
    grouped = values.reshape(len(values), -1, 8 // bits)
    packed = (grouped << np.arange(8 - bits, -1, -bits)).sum(axis=2).astype(np.uint8)
    height, width = values.shape
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def test_few_bits_are_read_as_the_other_label_maps_say(source: tuple[Path, Path]) -> None:
    (source[1] / "06.png").write_bytes(grey_png(np.eye(40, 60, dtype=np.uint8), 4))
    pair = list_pairs(*source, COCO_STUFF)[6]
    assert np.unique(pair.read_labels()).tolist() == [0, 1]
    alone = replace(pair, conventions=UNKNOWN_CONVENTIONS)
    with pytest.raises(UnreadableImageError, match=r"06\.png: it stores 4 bits.*--label-scaling"):
        alone.read()
    pair = list_pairs(*source, COCO_STUFF, scaling="full")[6]
    assert np.unique(pair.read().labels).tolist() == [0, 17]


def test_greys_of_a_palette_are_label_values(source: tuple[Path, Path]) -> None:
    label_map = Image.fromarray(np.eye(40, 60, dtype=np.uint8)).convert("P")
    label_map.putpalette([123] * 3 + [156] * 3)
    label_map.save(source[1] / "06.png")
    labels = list_pairs(*source, COCO_STUFF)[6].read().labels
    assert np.unique(labels).tolist() == [123, 156]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("jpeg", "JPEG with lossy compression changes label values"),
        ("shape", "it has 60x20 pixels and the photo has 60x40"),
        ("alpha", "a label map has one channel of integers, this is a LA image"),
        ("bits", "it stores 1 bits a pixel"),
    ],
)
def test_label_maps_that_are_not_clear_are_refused(
    source: tuple[Path, Path], kind: str, reason: str
) -> None:
    path = source[1] / "06.png"
    label_map = Image.fromarray(np.eye(40, 60, dtype=np.uint8) * 2)
    content = io.BytesIO()
    match kind:
        case "jpeg":
            label_map.save(content, "JPEG")
        case "shape":
            label_map.crop((0, 0, 60, 20)).save(content, "PNG")
        case "alpha":
            label_map.convert("LA").save(content, "PNG")
        case "bits":
            content.write(grey_png(np.eye(40, 64, dtype=np.uint8), 1))
    path.write_bytes(content.getvalue())
    pair = replace(list_pairs(*source, COCO_STUFF)[6], conventions=UNKNOWN_CONVENTIONS)
    with pytest.raises(UnreadableImageError, match=f"^{re.escape(str(path))}: {reason}"):
        pair.read()


@pytest.mark.parametrize(
    "text",
    ["{", '{"to_coco_stuff_spade_index": []}', '{"to_coco_stuff_spade_index": {"sky": 1}}'],
    ids=["cut", "list", "name"],
)
def test_a_mapping_that_cannot_be_read_is_named(source: tuple[Path, Path], text: str) -> None:
    path = source[1].parent / "labels.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=f"^{path} does not map label values"):
        list_pairs(*source, COCO_STUFF)


@pytest.mark.parametrize("space", [ADE20K, CITYSCAPES, COCO_STUFF_1_TO_182], ids=lambda s: s.name)
def test_a_mapping_to_other_classes_is_not_passed_over(
    source: tuple[Path, Path], space: LabelSpace
) -> None:
    path = source[1].parent / "labels.json"
    path.write_text('{"names": ["road", "sky"]}')
    assert list_pairs(*source, space)[0].raw_values is None
    path.write_text('{"to_coco_stuff_spade_index": {"0": 148, "1": 156}}')
    reason = f"{path} maps label values to those of coco-stuff, not of {space.name}"
    with pytest.raises(ConfigurationError, match=reason):
        list_pairs(*source, space)


def test_values_that_cannot_be_mapped_are_refused(source: tuple[Path, Path]) -> None:
    (source[1].parent / "labels.json").write_text('{"to_coco_stuff_spade_index": {"1": 2}}')
    Image.fromarray(np.full((40, 60), 300, np.uint16)).save(source[1] / "06.png")
    with pytest.raises(UnreadableImageError, match=r"06\.png: labels\.json maps values up to 255"):
        list_pairs(*source, COCO_STUFF)[6].read()
