"""Photos and pairs of photo and label map, held in memory, for training and evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spadepis.labels import LabelSpace

# One in so many photos, and the last so many'th of the pairs of a source, is held out.
HELD_OUT_SHARE = 10

# Of labels.json, by label space.
MAPPING_KEYS = {"coco-stuff": "to_coco_stuff_spade_index", "ade20k": "to_ade20k_raw_index_1based"}

# Pictures are kept with this short side: the scale at which the networks are used.
SHORT_SIDE = 256


@dataclass(frozen=True)
class Pair:
    """A photo and its label map.

    Attributes:
        photo: uint8 [3,h,w].
        labels: class indices, uint8 [h,w].
    """

    photo: Tensor
    labels: Tensor


Picture = TypeVar("Picture", Tensor, Pair)


@dataclass(frozen=True)
class Split(Generic[Picture]):
    """What is trained on, by source, and what is held out from it."""

    training: Sequence[Sequence[Picture]]
    held_out: Sequence[Sequence[Picture]]


def read_all_photos(folder: Path) -> list[Tensor]:
    """The photos [3,h,w] uint8 of a folder, by name."""
    return [_read_photo(path) for path in sorted(folder.glob("*.jpg"))]


def read_photos(folder: Path) -> Split[Tensor]:
    """The photos [3,h,w] uint8 of a folder; every tenth by name is held out."""
    photos = read_all_photos(folder)
    training = [photo for i, photo in enumerate(photos) if i % HELD_OUT_SHARE]
    return Split([training], [photos[::HELD_OUT_SHARE]])


def read_pairs(sources: Sequence[tuple[Path, Path]], space: LabelSpace) -> Split[Pair]:
    """The pairs of photos ``*.jpg`` and label maps ``*.png`` of the same name in pairs of folders.

    A file ``labels.json`` beside the folder of label maps may map their values to raw values of
    the label space. The last tenth of each source by name is held out: a block, since
    neighbouring frames of a film are near copies.
    """
    training, held_out = [], []
    for photos, labels in sources:
        pairs = list(read_source(photos, labels, space).values())
        kept = len(pairs) - max(1, len(pairs) // HELD_OUT_SHARE)
        training.append(pairs[:kept])
        held_out.append(pairs[kept:])
    return Split(training, held_out)


def read_source(
    photos: Path, labels: Path, space: LabelSpace, globs: Sequence[str] = ("*",)
) -> dict[str, Pair]:
    """The pairs of a folder of photos and one of label maps whose id is like one of the globs.

    The id is the name without suffix, and they are sorted by it.
    """
    raw_values = _raw_values(labels.parent / "labels.json", space)
    pairs = {}
    for path in sorted(labels.glob("*.png")):
        if not any(fnmatchcase(path.stem, glob) for glob in globs):
            continue
        photo = _read_photo(photos / f"{path.stem}.jpg")
        with Image.open(path) as image:
            size = (photo.shape[2], photo.shape[1])
            resized = np.asarray(image.resize(size, Image.Resampling.NEAREST))
        indices = space.decode(raw_values[resized]).astype(np.uint8)
        pairs[path.stem] = Pair(photo, torch.from_numpy(indices))
    return pairs


def _raw_values(mapping: Path, space: LabelSpace) -> NDArray[np.uint8]:
    """The raw value in the label space of each value that a source's label maps hold."""
    raw_values = np.arange(256, dtype=np.uint8)
    key = MAPPING_KEYS.get(space.name)
    if mapping.exists() and key:
        for value, raw_value in json.loads(mapping.read_text()).get(key, {}).items():
            raw_values[int(value)] = raw_value
    return raw_values


def _read_photo(path: Path) -> Tensor:
    with Image.open(path) as image:
        scale = SHORT_SIDE / min(image.size)
        width, height = (max(SHORT_SIDE, round(side * scale)) for side in image.size)
        resized = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(resized).copy()).permute(2, 0, 1)
