"""Reading and resizing photos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from spadepis.dataset.encoding import DECODING_ERRORS
from spadepis.dataset.inputs.image_files import Read, UnreadableImageError, open_image
from spadepis.dataset.inputs.shards import read_source
from spadepis.dataset.storage.errors import reason


def read_photo(uri: str, max_pixels: int, read: Read = read_source) -> NDArray[np.uint8]:
    """Read a photo as RGB.

    Grey, CMYK, palette and 16-bit photos are converted, alpha is dropped, and the EXIF
    orientation is applied.

    Args:
        uri: source of the photo; see ``read_source``.
        max_pixels: larger photos are refused.
        read: returns the content of the file.

    Returns:
        The photo, uint8 [H,W,3].

    Raises:
        UnreadableImageError: with the file and the reason.
    """
    image = open_image(uri, max_pixels, read)
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return np.asarray(image.convert("RGB"))
    except DECODING_ERRORS as error:
        raise UnreadableImageError(uri, f"cannot be decoded ({reason(error)})") from error


def resize_photo(photo: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize a photo, uint8 [H,W,3], to [height,width,3] with an antialiased bicubic filter."""
    if photo.shape[:2] == (height, width):
        return photo
    image = Image.fromarray(photo)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def limit_longest_side(photo: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Shrink a photo, uint8 [H,W,3], uniformly until no side is longer than ``longest``."""
    height, width = photo.shape[:2]
    scale = min(1.0, longest / max(height, width))
    return resize_photo(photo, max(1, round(height * scale)), max(1, round(width * scale)))
