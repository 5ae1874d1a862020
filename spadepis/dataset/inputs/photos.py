"""Reading and resizing photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadepis.dataset.inputs.colours import to_srgb
from spadepis.dataset.inputs.grids import turn
from spadepis.dataset.inputs.image_files import Extent, Read, decoding, extent_of, open_image
from spadepis.dataset.inputs.shards import read_source
from spadepis.deblocking.quantization import Quantization, quantization_of


@dataclass(frozen=True)
class Photo:
    """A photo and how it was stored.

    Attributes:
        pixels: sRGB as displayed, uint8 [H,W,3].
        extent: its size as stored, and its orientation.
        quantization: as displayed, if the file is a colour JPEG.
    """

    pixels: NDArray[np.uint8]
    extent: Extent
    quantization: Quantization | None = None


def read_photo(uri: str, max_pixels: int, read: Read = read_source) -> NDArray[np.uint8]:
    """Read a photo as displayed, in sRGB; see ``read_photo_with_extent``.

    Returns:
        The photo, uint8 [H,W,3].
    """
    return read_photo_with_extent(uri, max_pixels, read).pixels


def read_photo_with_extent(uri: str, max_pixels: int, read: Read = read_source) -> Photo:
    """Read a photo as displayed, in sRGB.

    Grey, CMYK, palette, 16-bit and floating-point photos are converted, embedded colour profiles
    are applied and alpha is dropped; see ``colours.to_srgb``. The orientation in EXIF or XMP is
    applied. Of files with several images the first is taken.

    Args:
        uri: source of the photo; see ``read_source``.
        max_pixels: larger photos are refused.
        read: returns the content of the file.

    Raises:
        UnreadableImageError: with the file and the reason.
    """
    file, image = open_image(uri, max_pixels, read)
    with decoding(uri):
        image.load()
        pixels = to_srgb(image, file, uri)
    displayed = np.ascontiguousarray(turn(pixels, file.exif_orientation))
    extent = extent_of(file, image)
    quantization = quantization_of(image)
    if quantization is not None and extent.displayed_size != extent.size:
        quantization = quantization.transposed
    return Photo(displayed, extent, quantization)


def resize_photo(photo: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize a photo, uint8 [H,W,3], to [height,width,3] with an antialiased bicubic filter."""
    if photo.shape[:2] == (height, width):
        return photo
    image = Image.fromarray(photo)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def limit_longest_side(photo: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Shrink a photo, uint8 [H,W,3], uniformly until no side is longer than ``longest``."""
    return resize_photo(photo, *limited_size(photo.shape, longest))


def limited_size(shape: Sequence[int], longest: int) -> tuple[int, int]:
    """Height and width of an image of a shape, shrunk uniformly to a longest side."""
    height, width = shape[:2]
    scale = min(1.0, longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
