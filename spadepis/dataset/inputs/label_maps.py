"""Reading and resizing label maps and instance maps."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadepis.dataset.encoding import DECODING_ERRORS
from spadepis.dataset.inputs.image_files import UnreadableImageError, open_image
from spadepis.dataset.storage.errors import reason
from spadepis.labels import LabelSpace

Integer = TypeVar("Integer", bound=np.integer[Any])
LABEL_MAP_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")


def read_label_map(uri: str, max_pixels: int) -> NDArray[np.integer[Any]]:
    """Read a label map or an instance map.

    Args:
        uri: source of the map; see ``read_source``.
        max_pixels: larger maps are refused.

    Returns:
        The values as stored in the file, integers [H,W].

    Raises:
        UnreadableImageError: with the file and the reason, e.g. that it has colour channels.
    """
    image = open_image(uri, max_pixels)
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
        UnreadableImageError: with the file and the reason, e.g. a value that is no class.
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
