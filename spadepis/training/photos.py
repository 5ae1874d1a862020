"""Photos, and pairs of photo and label map, read from disk when they are needed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spadepis.configuration import ConfigurationError
from spadepis.dataset.ids import composed
from spadepis.dataset.inputs.colours import to_srgb
from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.inputs.examination import conventions_of, examine_label_maps
from spadepis.dataset.inputs.grids import Grid, orientation_on, turn
from spadepis.dataset.inputs.image_files import (
    Extent,
    UnreadableImageError,
    decoding,
    extent_of,
    open_image,
    read_extent,
)
from spadepis.dataset.inputs.label_maps import read_label_map_with_extent, resize_label_map
from spadepis.dataset.inputs.label_values import Scaling
from spadepis.dataset.inputs.suffixes import suffix_of
from spadepis.labels import LabelSpace
from spadepis.labels.numbering import unlabelled_values

# Pictures with a larger short side are shrunk to this one: the scale at which networks are used.
SHORT_SIDE = 256

# One in so many items is held out of training, chosen by a hash of its name, so that it stays held
# out whatever is added.
HELD_OUT_SHARE = 40

# Larger photos and label maps are refused.
MAX_PIXELS = 80_000_000

# In small or capital letters. Packs hold WebP.
LABEL_SUFFIX = ".png"
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".webp", LABEL_SUFFIX})

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
        photo: a JPEG, PNG or WebP file.
        labels: a PNG file, of the same aspect ratio.
        space: the label space.
        raw_values: raw value in the label space of each value in the PNG file, uint8 [256]; None
            where these are the same.
        conventions: those of the set of label maps.
    """

    photo: Path
    labels: Path
    space: LabelSpace
    raw_values: NDArray[np.uint8] | None = None
    conventions: LabelConventions = UNKNOWN_CONVENTIONS

    @property
    def id(self) -> str:
        """The name of both files without suffix."""
        return self.labels.stem

    def read(self) -> Pair:
        """Read the photo as ``read_photo`` does, and the label map at its size.

        Raises:
            UnreadableImageError: one of the files cannot be read, or they do not show the same.
        """
        photo, values = self.read_values()
        return Pair(_channels_first(photo), torch.from_numpy(self._classes(values)))

    def read_at_size_of_labels(self) -> Pair:
        """Read both at the size of the label map, which is turned as its photo is for display.

        Raises:
            UnreadableImageError: one of the files cannot be read, or they do not show the same.
        """
        values = self._values_on(read_extent(str(self.photo), MAX_PIXELS))
        photo, _ = _read_photo(self.photo, (values.shape[1], values.shape[0]))
        return Pair(_channels_first(photo), torch.from_numpy(self._classes(values)))

    def read_labels(self) -> NDArray[np.uint8]:
        """The class indices as they are stored, uint8 [h,w]; the photo is not read.

        Raises:
            UnreadableImageError: the file cannot be read, or holds values of no class.
        """
        return self._classes(self._stored_values()[0])

    def read_values(self) -> tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]:
        """Read both files for training, the label map as it is before ``raw_values`` is applied.

        Returns:
            The photo, shrunk as by ``read_photo``, uint8 [h,w,3], and the label map's values at its
            size, integers [h,w].

        Raises:
            UnreadableImageError: one of the files cannot be read, or they do not show the same.
        """
        photo, extent = _read_photo(self.photo)
        values = self._values_on(extent)
        if values.shape != photo.shape[:2]:
            values = resize_label_map(values, *photo.shape[:2])
        return photo, values

    def _values_on(self, photo: Extent) -> NDArray[np.integer[Any]]:
        """The values of the label map, turned as its photo is for display."""
        values, extent = self._stored_values()
        with decoding(str(self.labels)):
            turned = turn(values, orientation_on(extent, photo, self.conventions.grid))
        return np.ascontiguousarray(turned)

    def _stored_values(self) -> tuple[NDArray[np.integer[Any]], Extent]:
        possible = self.space if self.raw_values is None else None
        uri = str(self.labels)
        return read_label_map_with_extent(uri, MAX_PIXELS, self.conventions, possible)

    def _classes(self, values: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        if self.raw_values is not None:
            if values.min() < 0 or values.max() > 255:
                raise UnreadableImageError(
                    str(self.labels), f"{MAPPING_FILE} maps values up to 255, and it holds others"
                )
            values = self.raw_values[values]
        try:
            return self.space.decode(values).astype(np.uint8)
        except ValueError as error:
            raise UnreadableImageError(str(self.labels), str(error)) from error


def read_photo(path: Path) -> Tensor:
    """Read a photo as displayed, in sRGB, shrunk to a short side of 256 where that is larger.

    It is never enlarged: networks would learn the blur.

    Returns:
        The photo, uint8 [3,h,w].

    Raises:
        UnreadableImageError: the file cannot be read.
    """
    return _channels_first(_read_photo(path)[0])


def _read_photo(
    path: Path, size: tuple[int, int] | None = None
) -> tuple[NDArray[np.uint8], Extent]:
    """A photo, uint8 [h,w,3], of a width and height or shrunk, and the extent of its file."""
    uri = str(path)
    file, image = open_image(uri, MAX_PIXELS)
    extent = extent_of(file, image)
    height, width = extent.displayed_size
    size = shrunk_size((width, height)) if size is None else size
    scale = max(size[0] / width, size[1] / height)
    with decoding(uri):
        # JPEG files are decoded at half the size or less where that is enough.
        image.draft(None, (round(2 * scale * image.width), round(2 * scale * image.height)))
        image.load()
        stored = to_srgb(image, file, uri)
    pixels = turn(stored, extent.orientation)
    if pixels.shape[1::-1] != size:
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return np.array(pixels, order="C"), extent


def _channels_first(photo: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(photo).permute(2, 0, 1)


def shrunk_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height at which ``read_photo`` returns a photo of that width and height."""
    width, height = size
    scale = min(1.0, SHORT_SIDE / min(size))
    return round(width * scale), round(height * scale)


def list_photos(folder: Path, labels: Path | None = None) -> list[Path]:
    """The photos of a folder, JPEG, PNG and WebP, by name, without hidden files.

    Args:
        folder: the folder; others in it are not searched.
        labels: folder of the label maps. Where it is the same, PNG files are no photos.

    Raises:
        ConfigurationError: there are none.
    """
    has_labels = labels is not None and labels.resolve() == folder.resolve()
    photos = _list_files(folder, PHOTO_SUFFIXES - {LABEL_SUFFIX} if has_labels else PHOTO_SUFFIXES)
    if not photos:
        raise ConfigurationError(f"{folder} has no photo")
    return photos


def list_pairs(
    photos: Path,
    labels: Path,
    space: LabelSpace,
    grid: Grid | None = None,
    scaling: Scaling | None = None,
) -> list[PairFile]:
    """The pairs of photos, as listed above, and label maps in PNG of the same name, by name.

    A file ``labels.json`` beside the folder of label maps may map their values to raw values of
    the label space. What one label map leaves open is decided by a sample of all.

    Args:
        photos: folder of photos.
        labels: folder of label maps.
        space: the label space.
        grid: on which grid label maps lie whose sizes do not tell, if it is known.
        scaling: how label values of fewer than 8 bits are meant, if it is known.

    Raises:
        ConfigurationError: there are none, two photos or label maps have the same name, or
            ``labels.json`` is none.
    """
    photo_of = by_name(list_photos(photos, labels))
    label_map_of = by_name(_list_files(labels, frozenset({LABEL_SUFFIX})))
    sources = {name: str(path) for name, path in label_map_of.items() if name in photo_of}
    if not sources:
        raise ConfigurationError(f"no photo in {photos} has a label map in {labels}")
    photo_sources = {name: str(photo_of[name]) for name in sources}
    raw_values = _read_mapping(labels.parent / MAPPING_FILE, space)
    findings, _ = examine_label_maps(sources, photo_sources, MAX_PIXELS)
    conventions = conventions_of(findings, grid, scaling, unlabelled_values(space))
    return [
        PairFile(photo_of[name], label_map_of[name], space, raw_values, conventions)
        for name in sources
    ]


def _list_files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    return sorted(
        path
        for path in folder.glob("*")
        if suffix_of(path.name) in suffixes and not path.name.startswith(".") and path.is_file()
    )


def by_name(paths: Sequence[Path]) -> Mapping[str, Path]:
    """Files by their names without suffix, whose letters are composed.

    Raises:
        ConfigurationError: two have the same name.
    """
    files: dict[str, Path] = {}
    for path in paths:
        other = files.setdefault(composed(path.stem), path)
        if other != path:
            raise ConfigurationError(f"{other} and {path} have the same name: keep one of them")
    return files


def _read_mapping(path: Path, space: LabelSpace) -> NDArray[np.uint8] | None:
    """The raw values of a label space by value, as far as a file maps them; None without one."""
    if not path.exists():
        return None
    raw_values = np.arange(256, dtype=np.uint8)
    try:
        content = json.loads(path.read_text())
        mappings = {name: content[key] for name, key in MAPPING_KEYS.items() if key in content}
        for value, raw_value in mappings.get(space.name, {}).items():
            raw_values[int(value)] = raw_value
    except (ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ConfigurationError(f"{path} does not map label values from 0 to 255") from error
    if mappings and space.name not in mappings:
        raise ConfigurationError(
            f"{path} maps label values to those of {' and '.join(mappings)}, not of {space.name}. "
            f"Give --label-space {next(iter(mappings))}, or remove the file if it is not about them"
        )
    return raw_values if mappings else None


def is_held_out(name: str) -> bool:
    """Whether the item of that name, without suffix, is kept out of training."""
    return zlib.crc32(composed(name).encode()) % HELD_OUT_SHARE == 0


def split_photos(photos: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split photos into those to train on and those that are held out."""
    training = [photo for photo in photos if not is_held_out(photo.stem)]
    return training, [photo for photo in photos if is_held_out(photo.stem)]
