"""Opening an encoded image: which formats are read, and how large they may be."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, UnidentifiedImageError

from spadepis.dataset.encoding import DECODING_ERRORS
from spadepis.dataset.inputs.shards import read_source
from spadepis.dataset.storage.errors import reason

# The other decoders of Pillow are not offered untrusted files: that of PostScript starts a program.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# The largest image is 16-bit RGBA without compression.
BYTES_PER_PIXEL = 8
Read = Callable[[str, int], bytes]
"""Returns the content of a source; takes the source and how many bytes it may have."""


class UnreadableImageError(ValueError):
    """A file that is missing, is not an image, or is not the kind of image asked for."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"{uri}: {reason}")
        self.uri = uri


def open_image(uri: str, max_pixels: int, read: Read = read_source) -> Image.Image:
    """Read an image file; its pixels are not decoded yet.

    Args:
        uri: source of the image; see ``read_source``.
        max_pixels: larger images are refused.
        read: returns the content of the file.

    Raises:
        UnreadableImageError: with the file and the reason.
    """
    try:
        content = read(uri, BYTES_PER_PIXEL * max_pixels)
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
