"""Photos, and pairs of photo and label map, read from disk when they are needed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spadepis.dataset.inputs.image_files import decoding
from spadepis.labels import LabelSpace

# Pictures with a larger short side are shrunk to this one: the scale at which networks are used.
SHORT_SIDE = 256

# One in so many items is held out of training, chosen by a hash of its name, so that it stays held
# out whatever is added.
HELD_OUT_SHARE = 40

# In small or capital letters. Packs hold WebP.
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".webp"})

# A file beside a folder of label maps that maps their values, and its key for a label space.
MAPPING_FILE = "labels.json"
MAPPING_KEYS = {"coco-stuff": "to_coco_stuff_spade_index", "ade20k": "to_ade20k_raw_index_1based"}


@dataclass(frozen=True)
class Pair:
    """A photo and its label map.

    Attributes:
        photo: uint8 [3,h,w].
        labels: class indices, uint8 [h,w].
    """

    photo: Tensor
    labels: Tensor


@dataclass(frozen=True)
class PairFile:
    """A photo and its label map on disk.

    Attributes:
        photo: a JPEG or WebP file.
        labels: a PNG file, of the same aspect ratio.
        raw_values: raw value in the label space of each value in the PNG file, uint8 [256].
        space: the label space.
    """

    photo: Path
    labels: Path
    raw_values: NDArray[np.uint8]
    space: LabelSpace

    @property
    def id(self) -> str:
        """The name of both files without suffix."""
        return self.labels.stem

    def read(self) -> Pair:
        """Read the photo as ``read_photo`` does, and the label map at its size.

        Raises:
            UnreadableImageError: one of the files cannot be read.
        """
        photo = read_photo(self.photo)
        labels = self.read_labels((photo.shape[2], photo.shape[1]))
        return Pair(photo, torch.from_numpy(labels))

    def read_at_size_of_labels(self) -> Pair:
        """Read the label map as it is, and the photo at its size.

        Raises:
            UnreadableImageError: one of the files cannot be read.
        """
        labels = self.read_labels()
        with decoding(str(self.photo)), Image.open(self.photo) as image:
            size = labels.shape[1], labels.shape[0]
            photo = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        channels_first = torch.from_numpy(np.array(photo)).permute(2, 0, 1)
        return Pair(channels_first, torch.from_numpy(labels))

    def read_labels(self, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The class indices, uint8 [h,w], resized to a width and height where given.

        Raises:
            UnreadableImageError: the file cannot be read, or holds values of no class.
        """
        with decoding(str(self.labels)), Image.open(self.labels) as image:
            resized = image if size is None else image.resize(size, Image.Resampling.NEAREST)
            return self.space.decode(self.raw_values[np.asarray(resized)]).astype(np.uint8)


def read_photo(path: Path) -> Tensor:
    """Read a photo, uint8 [3,h,w], shrunk to a short side of 256 where that is larger.

    It is never enlarged: networks would learn the blur.

    Raises:
        UnreadableImageError: the file cannot be read.
    """
    with decoding(str(path)), Image.open(path) as image:
        width, height = shrunk_size(image.size)
        # JPEG files are decoded at half the size or less where that is enough.
        image.draft("RGB", (2 * width, 2 * height))
        photo = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)


def shrunk_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height at which ``read_photo`` returns a photo of that width and height."""
    width, height = size
    scale = min(1.0, SHORT_SIDE / min(size))
    return round(width * scale), round(height * scale)


def list_photos(folder: Path) -> list[Path]:
    """The photos of a folder, JPEG and WebP, by name."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in PHOTO_SUFFIXES)


def list_pairs(photos: Path, labels: Path, space: LabelSpace) -> list[PairFile]:
    """The pairs of photos, as listed above, and label maps ``*.png`` of the same name, by name.

    A file ``labels.json`` beside the folder of label maps may map their values to raw values of
    the label space.
    """
    raw_values = np.arange(256, dtype=np.uint8)
    mapping, key = labels.parent / MAPPING_FILE, MAPPING_KEYS.get(space.name)
    if mapping.exists() and key:
        for value, raw_value in json.loads(mapping.read_text()).get(key, {}).items():
            raw_values[int(value)] = raw_value
    photo_of = {path.stem: path for path in list_photos(photos)}
    return [
        PairFile(photo_of[path.stem], path, raw_values, space)
        for path in sorted(labels.glob("*.png"))
        if path.stem in photo_of
    ]


def is_held_out(name: str) -> bool:
    """Whether the item of that name, without suffix, is kept out of training."""
    return zlib.crc32(name.encode()) % HELD_OUT_SHARE == 0


def split_photos(photos: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split photos into those to train on and those that are held out."""
    training = [photo for photo in photos if not is_held_out(photo.stem)]
    return training, [photo for photo in photos if is_held_out(photo.stem)]
