"""Opening an encoded image: which formats are read, how large they may be, and what goes wrong."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from spadepis.dataset.encoding import DECODING_ERRORS
from spadepis.dataset.inputs.containers import MOST_JPEG_SCANS, ImageFile, split_metadata
from spadepis.dataset.inputs.shards import read_source
from spadepis.filesystem_errors import reason

# The largest image is 16-bit RGBA without compression.
BYTES_PER_PIXEL = 8
Size = tuple[int, int]
"""Height and width."""
Read = Callable[[str, int], bytes]
"""Returns the content of a source; takes the source and how many bytes it may have."""


class RefusedImageError(ValueError):
    """A sound image whose values cannot be read with certainty; the message says why."""


class UnreadableImageError(ValueError):
    """A file that is missing, is not an image, or is not the kind of image asked for."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"{uri}: {reason}")
        self.uri = uri


@dataclass(frozen=True)
class Extent:
    """What decides about the grid of an image.

    Attributes:
        size: height and width as stored.
        orientation: the EXIF orientation, 1 to 8.
    """

    size: Size
    orientation: int = 1

    @property
    def displayed_size(self) -> Size:
        """Height and width once turned for display."""
        height, width = self.size
        return (width, height) if self.orientation in (5, 6, 7, 8) else (height, width)


def open_image(
    uri: str, max_pixels: int, read: Read = read_source
) -> tuple[ImageFile, Image.Image]:
    """Read an image file; its pixels are not decoded yet.

    Args:
        uri: source of the image; see ``read_source``.
        max_pixels: larger images are refused.
        read: returns the content of the file.

    Returns:
        What stands beside the pixels and how they are stored, and the image without metadata.

    Raises:
        UnreadableImageError: with the file and the reason.
    """
    try:
        content = read(uri, BYTES_PER_PIXEL * max_pixels)
    except OSError as error:
        raise UnreadableImageError(uri, f"cannot be read ({reason(error)})") from error
    # Only decoders of these formats see untrusted files: that of PostScript starts a program.
    file = split_metadata(content)
    if file is None:
        raise UnreadableImageError(uri, "not an image")
    if file.scans > MOST_JPEG_SCANS:
        raise UnreadableImageError(uri, f"{file.scans} scans are more than {MOST_JPEG_SCANS}")
    if file.tile is not None and file.tile[0] * file.tile[1] > max_pixels:
        width, length = file.tile
        raise UnreadableImageError(
            uri, f"tiles of {width}x{length} are more than {max_pixels} pixels"
        )
    with decoding(uri):
        image = Image.open(io.BytesIO(file.content), formats=(file.format,))
    if image.width * image.height > max_pixels:
        raise UnreadableImageError(
            uri, f"{image.width}x{image.height} is more than {max_pixels} pixels"
        )
    return file, image


def read_extent(uri: str, max_pixels: int) -> Extent:
    """Read the size and the orientation of an image; its pixels are not decoded.

    Raises:
        UnreadableImageError: with the file and the reason.
    """
    return extent_of(*open_image(uri, max_pixels))


def extent_of(file: ImageFile, image: Image.Image) -> Extent:
    """The extent of an opened image."""
    return Extent((image.height, image.width), file.exif_orientation)


@contextmanager
def decoding(uri: str) -> Iterator[None]:
    """Report what is raised while a file is decoded as its ``UnreadableImageError``."""
    try:
        yield
    except UnreadableImageError:
        raise
    except RefusedImageError as error:
        raise UnreadableImageError(uri, str(error)) from error
    except UnidentifiedImageError as error:
        # It begins like one, but may have samples that Pillow does not know.
        raise UnreadableImageError(uri, "not an image, or of a kind that is not read") from error
    except DECODING_ERRORS as error:
        raise UnreadableImageError(uri, f"cannot be decoded ({reason(error)})") from error
