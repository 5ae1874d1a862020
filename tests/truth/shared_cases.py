"""The cases of users, where they are beside this repository."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spadepis.labels import COCO_STUFF
from tests.truth.case import Array, Case, Reader
from tests.truth.grid_cases import NOT_SAME, NOT_TOLD
from tests.truth.label_cases import LOSSY, TWO_READINGS
from tests.truth.photo_cases import BLACK, turned

FOLDER = Path(__file__).parents[2].parent / "shared" / "cases"


@dataclass(frozen=True)
class _Photo:
    path: Path

    def __call__(self, reader: Reader, folder: Path) -> Array:
        return reader.photo(self.path)


@dataclass(frozen=True)
class _Labels:
    path: Path
    neighbours: Path | None = None
    label_space: str = "coco-stuff"

    def __call__(self, reader: Reader, folder: Path) -> Array:
        return reader.label_map(self.path, self.label_space, self.neighbours, None)


@dataclass(frozen=True)
class _Scene:
    """One pair of a set, with others of the set."""

    root: Path
    id: str
    others: tuple[str, ...] = ()

    def __call__(self, reader: Reader, folder: Path) -> tuple[Array, Array]:
        for kind, suffix in (("photos", "jpg"), ("masks", "png")):
            (folder / kind).mkdir()
            for id in (self.id, *self.others):
                shutil.copy(self.root / kind / f"{id}.{suffix}", folder / kind)
        return reader.scene(folder, self.id, None)


@dataclass(frozen=True)
class _Ids:
    uri: str

    def __call__(self, reader: Reader, folder: Path) -> Any:
        return sorted(reader.values_by_id(self.uri))


def _pixels(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("RGB"))


def _stored(path: Path) -> Array:
    return np.asarray(Image.open(path))


def _scene_truth(root: Path, id: str, orientation: int) -> tuple[Array, Array]:
    classes = COCO_STUFF.decode(_stored(root / "masks" / f"{id}.png"))
    photo = _pixels(root / "photos" / f"{id}.jpg")
    return turned(photo, orientation), turned(classes.astype(np.uint8), orientation)


def _all() -> Iterator[Case]:
    for path in sorted((FOLDER / "exif").iterdir()):
        # An orientation written as text is none: no reader takes it for one.
        orientation = 1 if path.stem == "orientation_string" else 6
        yield Case(f"exif/{path.name}", _Photo(path), turned(_pixels(path), orientation))
    for path in sorted((FOLDER / "mistyped_exif/photos").iterdir()):
        truth = turned(_pixels(path), 6 if path.stem == "drone" else 1)
        yield Case(f"mistyped_exif/{path.name}", _Photo(path), truth)
    srgb = _pixels(FOLDER / "icc/srgb.png")
    for name, tolerance in {"srgb.png": 0, "displayp3.png": 9, "displayp3.jpg": 90}.items():
        yield Case(f"icc/{name}", _Photo(FOLDER / "icc" / name), srgb, tolerance=tolerance)
    grey = (_stored(FOLDER / "photos/u16.png") // 257).astype(np.uint8)
    truth = np.stack([grey] * 3, axis=2)
    for name, reason in {"u16.png": None, "float01.tif": None, "u16_12bit.png": BLACK}.items():
        yield Case(f"photos/{name}", _Photo(FOLDER / "photos" / name), truth, reason)
    yield from _label_maps()
    yield from _numberings()
    names = ["ADE_train_00000007", "ADE_val_00000125", "ADE_val_00000126", "kitchen_0001"]
    yield Case("split_names/masks", _Ids(str(FOLDER / "split_names/masks")), names)
    yield Case("split_names/photos", _Keys(str(FOLDER / "split_names/photos")), names)
    turned_set, shapes = FOLDER / "turned", FOLDER / "other_shape"
    for id, orientation in {"plain": 1, "rot180": 3, "rot90": 6}.items():
        others = tuple({"plain", "rot180", "rot90"} - {id})
        truth_of_scene = _scene_truth(turned_set, id, orientation)
        yield Case(f"turned/{id} in its set", _Scene(turned_set, id, others), truth_of_scene)
    alone = _Scene(turned_set, "rot180")
    yield Case("turned/rot180 alone", alone, _scene_truth(turned_set, "rot180", 3), NOT_TOLD)
    for id in ("portrait", "square"):
        yield Case(f"other_shape/{id}", _Scene(shapes, id), None, NOT_SAME)
    ids = ["street/a", "street/b", "street/c"]
    for kind in ("string", "pandas_category"):
        yield Case(f"ids/{kind}", _Ids(str(FOLDER / "ids" / kind / "masks")), ids)
    tar = FOLDER / "tar_suffixes/shard-000000.tar"
    for extension in ("jpg", "seg.png"):
        found = _Ids(f"{tar}#{extension}") if extension == "seg.png" else _Keys(f"{tar}#jpg")
        yield Case(f"tar_suffixes#{extension}", found, [f"000{i}" for i in range(5)])
    city = f"{FOLDER}/city [v2]/gtFine/val/*/*_gtFine_labelIds.png"
    yield Case("city [v2]", _Ids(city), ["frankfurt/frankfurt_000000_000294"])


@dataclass(frozen=True)
class _Keys:
    """Ids of photos, which have no label values."""

    uri: str

    def __call__(self, reader: Reader, folder: Path) -> Any:
        return sorted(reader.ids(self.uri))


def _label_maps() -> Iterator[Case]:
    root = FOLDER / "label_depth"
    small, grey = _stored(root / "gray8.png"), _stored(root / "grey.png")
    binary = _stored(root / "u8_0_255.png")
    truths: Mapping[str, tuple[Array | None, Array | None]] = {
        # Alone, and in its set; None is a refusal.
        "gray8": (small, small),
        "gray4": (None, small),
        "gray2": (None, small),
        "pal4": (small, small),
        "grey": (grey, grey),
        "palettized": (grey, grey),
        "u8_0_255": (binary, binary),
        "g1_0_255": (None, None),
    }
    for name, (alone, in_set) in truths.items():
        for where, neighbours, truth in (("alone", None, alone), ("in its set", root, in_set)):
            refusal = TWO_READINGS if truth is None else None
            read = _Labels(root / f"{name}.png", neighbours)
            yield Case(f"label_depth/{name} {where}", read, truth, refusal)
    jpeg = FOLDER / "jpeg_labels/masks/street.jpg"
    yield Case("jpeg_labels", _Labels(jpeg), _stored(FOLDER / "jpeg_labels/truth.png"), LOSSY)


@dataclass(frozen=True)
class _Numbered:
    """Reads a label map after the check of a set of some like it."""

    path: Path
    label_space: str
    name: str = "map"
    count: int = 1

    def __call__(self, reader: Reader, folder: Path) -> Array:
        for i in range(self.count):
            shutil.copy(self.path, folder / f"{i}_{self.name}.png")
        return reader.checked(folder / f"0_{self.name}.png", self.label_space, folder)


def _numberings() -> Iterator[Case]:
    root = FOLDER / "numbering"
    (train,) = (root / "trainids").iterdir()
    reduced, alike = root / "ade_reduced/a.png", root / "ade_reduced/no255.png"
    coco = root / "coco10k/a.png"
    remedy = "Give --label-space {}".format
    for name, read, reason in (
        ("trainids", _Numbered(train, "cityscapes", train.stem), remedy("cityscapes-train-ids")),
        ("trainids renamed", _Numbered(train, "cityscapes"), remedy("cityscapes-train-ids")),
        ("trainids", _Numbered(train, "cityscapes-train-ids", train.stem), None),
        ("ade_reduced/a", _Numbered(reduced, "ade20k"), remedy("ade20k-0-to-149")),
        ("ade_reduced/a", _Numbered(reduced, "ade20k-0-to-149"), None),
        ("8 of ade_reduced/no255", _Numbered(alike, "ade20k", count=8), remedy("ade20k-0-to-149")),
        ("ade_reduced/no255", _Numbered(alike, "ade20k-0-to-149"), None),
        ("8 of coco10k/a", _Numbered(coco, "coco-stuff", count=8), remedy("coco-stuff-1-to-182")),
        ("coco10k/a", _Numbered(coco, "coco-stuff-1-to-182"), None),
        ("ade_truth", _Numbered(root / "ade_truth.png", "ade20k"), None),
        ("8 of ade_truth", _Numbered(root / "ade_truth.png", "ade20k", count=8), None),
        ("labelids_truth", _Numbered(root / "labelids_truth.png", "cityscapes"), None),
    ):
        yield Case(f"numbering/{name} as {read.label_space}", read, _stored(read.path), reason)


def shared_cases() -> Iterator[Case]:
    """All cases of ``../shared/cases``; none where it is missing."""
    if FOLDER.exists():
        for case in _all():
            name = f"shared: {case.name}"
            yield Case(name, case.read, case.truth, case.refusal, case.tolerance)
