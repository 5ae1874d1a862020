"""Encoding of the photos and label maps of an image set, and decoding of what was encoded."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# In libjpeg-turbo; the format itself allows 35 more.
LONGEST_JPEG_SIDE = 65_500
# What Pillow's decoders raise on damaged files, found by fuzzing and in their source: the errors
# that they mean, and those of arithmetic and conversions where a header does not fit the file.
DECODING_ERRORS = (
    ArithmeticError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def encode_jpeg(photo: NDArray[np.uint8], quality: int) -> bytes:
    """Encode an RGB photo, uint8 [H,W,3], as JPEG without chroma subsampling.

    Raises:
        ValueError: a side is longer than JPEG allows.
    """
    if max(photo.shape) > LONGEST_JPEG_SIDE:
        height, width = photo.shape[:2]
        raise ValueError(f"{width}x{height} does not fit into a JPEG file")
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=quality, subsampling="4:4:4")
    return buffer.getvalue()


def encode_png(image: NDArray[np.uint8 | np.uint16]) -> bytes:
    """Encode a map, uint8 or uint16 [H,W], or an RGB photo, uint8 [H,W,3], as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def decode(content: bytes) -> NDArray[Any]:
    """Decode what ``encode_jpeg`` or ``encode_png`` returned, uint8 or uint16.

    Raises:
        Exception: one of ``DECODING_ERRORS``, if the content is damaged.
    """
    return np.asarray(Image.open(io.BytesIO(content), formats=("JPEG", "PNG")))
