"""Decoding and encoding of photos and label maps."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from spadepis.dataset.inputs.shards import read_source
from spadepis.dataset.storage.errors import reason
from spadepis.labels import LabelSpace

# What Pillow's decoders raise on damaged files, depending on the format and the damage.
DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
# No other decoder of Pillow sees an untrusted file: the one of PostScript starts a program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# Of the largest image: 16-bit RGBA without compression.
BYTES_A_PIXEL = 8
Integer = TypeVar("Integer", bound=np.integer[Any])
Read = Callable[[str, int], bytes]
LABEL_MAP_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")


class UnreadableImageError(ValueError):
    """A file that is missing, is no image, or is not the kind of image asked for."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"{uri}: {reason}")
        self.uri = uri


def read_photo(uri: str, max_pixels: int, read: Read = read_source) -> NDArray[np.uint8]:
    """Read a photo as RGB, uint8 [H,W,3].

    Grey, CMYK, palette and 16-bit photos are converted, alpha is dropped, and the EXIF
    orientation is applied.

    Args:
        uri: of the photo.
        max_pixels: photos with more are refused.
        read: gives the content of the file; takes its URI and how many bytes it may have.

    Raises:
        UnreadableImageError: naming the file and the reason.
    """
    image = _open(uri, max_pixels, read)
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return np.asarray(image.convert("RGB"))
    except DECODING_ERRORS as error:
        raise UnreadableImageError(uri, f"cannot be decoded ({reason(error)})") from error


def read_label_map(uri: str, max_pixels: int) -> NDArray[np.integer[Any]]:
    """Read a label map or an instance map, integers [H,W], values as stored in the file.

    Raises:
        UnreadableImageError: naming the file and the reason, e.g. that it has colour channels.
    """
    image = _open(uri, max_pixels)
    if image.mode not in LABEL_MAP_MODES:
        raise UnreadableImageError(
            uri, f"a label map has one channel of integers, this is a {image.mode} image"
        )
    try:
        values = np.asarray(image)
    except DECODING_ERRORS as error:
        raise UnreadableImageError(uri, f"cannot be decoded ({reason(error)})") from error
    return values.astype(np.uint8 if image.mode == "1" else values.dtype.newbyteorder("="))


def read_classes(uri: str, label_space: LabelSpace, max_pixels: int) -> NDArray[np.uint8]:
    """Read a label map as class indices, uint8 [H,W].

    Raises:
        UnreadableImageError: naming the file and the reason, a value of no class among them.
    """
    raw = read_label_map(uri, max_pixels)
    try:
        return label_space.decode(raw).astype(np.uint8)
    except ValueError as error:
        raise UnreadableImageError(uri, str(error)) from error


def resize_label_map(label_map: NDArray[Integer], height: int, width: int) -> NDArray[Integer]:
    """Resize integers [H,W] to [height,width] by nearest neighbour at pixel centres."""
    image = Image.fromarray(label_map)
    return np.asarray(image.resize((width, height), Image.Resampling.NEAREST))


def resize_photo(photo: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize uint8 [H,W,3] to [height,width,3] with an antialiased bicubic filter."""
    if photo.shape[:2] == (height, width):
        return photo
    image = Image.fromarray(photo)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def limit_longest_side(photo: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Shrink uint8 [H,W,3], keeping its proportions, until no side is over ``longest``."""
    height, width = photo.shape[:2]
    scale = min(1.0, longest / max(height, width))
    return resize_photo(photo, max(1, round(height * scale)), max(1, round(width * scale)))


def encode_jpeg(photo: NDArray[np.uint8], quality: int) -> bytes:
    """Encode RGB, uint8 [H,W,3], without chroma subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=quality, subsampling="4:4:4")
    return buffer.getvalue()


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode uint8, a label map [H,W] or RGB [H,W,3]."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def decode(content: bytes) -> NDArray[np.uint8]:
    """Decode what ``encode_jpeg`` or ``encode_png`` made."""
    return np.asarray(Image.open(io.BytesIO(content)))


def _open(uri: str, max_pixels: int, read: Read = read_source) -> Image.Image:
    try:
        content = read(uri, BYTES_A_PIXEL * max_pixels)
    except OSError as error:
        raise UnreadableImageError(uri, f"cannot be read ({reason(error)})") from error
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise UnreadableImageError(uri, "not an image") from error
    except DECODING_ERRORS as error:
        raise UnreadableImageError(uri, f"cannot be decoded ({reason(error)})") from error
    if image.width * image.height > max_pixels:
        raise UnreadableImageError(
            uri, f"{image.width}x{image.height} is more than {max_pixels} pixels"
        )
    return image
