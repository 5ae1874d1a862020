"""Reading and resizing label maps and instance maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadepis.dataset.inputs.conventions import (
    UNKNOWN_CONVENTIONS,
    LabelConventions,
    choose_reading,
)
from spadepis.dataset.inputs.grids import UPRIGHT, check_same_grid, orientation_on, turn
from spadepis.dataset.inputs.image_files import (
    Extent,
    RefusedImageError,
    UnreadableImageError,
    decoding,
    extent_of,
    open_image,
)
from spadepis.dataset.inputs.label_values import label_values
from spadepis.labels import LabelSpace
from spadepis.labels.edges import border_agreement

# Of an instance map in a set whose borders agree; see ``border_agreement``. In such sets right ones
# had 0.8 and more.
LEAST_AGREEMENT = 0.5
Integer = TypeVar("Integer", bound=np.integer[Any])


@dataclass(frozen=True)
class LabelMap:
    """A label map and how it was stored.

    Attributes:
        classes: class indices as stored, or turned as its photo is, uint8 [H,W].
        extent: its size as stored, and its orientation.
        turned_by: the orientation by which it was turned.
    """

    classes: NDArray[np.uint8]
    extent: Extent
    turned_by: int = UPRIGHT


def read_label_map(
    uri: str,
    max_pixels: int,
    conventions: LabelConventions = UNKNOWN_CONVENTIONS,
    label_space: LabelSpace | None = None,
) -> NDArray[np.integer[Any]]:
    """Read the values of a label map, as the annotator wrote them.

    Args:
        uri: source of the map; see ``read_source``.
        max_pixels: larger maps are refused.
        conventions: those of the set of label maps.
        label_space: the values that there can be, if it is known.

    Returns:
        The values, integers [H,W], in the grid that is stored.

    Raises:
        UnreadableImageError: with the file and the reason, e.g. that it has colour channels.
    """
    return read_label_map_with_extent(uri, max_pixels, conventions, label_space)[0]


def read_label_map_with_extent(
    uri: str,
    max_pixels: int,
    conventions: LabelConventions = UNKNOWN_CONVENTIONS,
    label_space: LabelSpace | None = None,
) -> tuple[NDArray[np.integer[Any]], Extent]:
    """Read the values of a label map, and its size as stored and its orientation.

    The arguments, the values and the errors are those of ``read_label_map``.
    """
    file, image = open_image(uri, max_pixels)
    with decoding(uri):
        values = choose_reading(label_values(image, file), label_space, conventions)
        for value, why in conventions.refused_values.items():
            if (values == value).any():
                raise RefusedImageError(why)
    return values, extent_of(file, image)


def read_class_map(
    uri: str,
    label_space: LabelSpace,
    max_pixels: int,
    conventions: LabelConventions = UNKNOWN_CONVENTIONS,
    photo: Extent | None = None,
) -> LabelMap:
    """Read a label map as class indices.

    Args:
        uri: source of the map; see ``read_source``.
        label_space: decodes the values.
        max_pixels: larger maps are refused.
        conventions: those of the set of label maps.
        photo: extent of the photo that the map describes. The map is turned as the photo is
            displayed, and refused if it does not show the same pixels.

    Raises:
        UnreadableImageError: with the file and the reason, e.g. a value that is no class.
    """
    raw, stored = read_label_map_with_extent(uri, max_pixels, conventions, label_space)
    try:
        classes = label_space.decode(raw).astype(np.uint8)
        orientation = UPRIGHT
        if photo is not None:
            orientation = orientation_on(stored, photo, conventions.grid)
    except ValueError as error:
        raise UnreadableImageError(uri, str(error)) from error
    return LabelMap(np.ascontiguousarray(turn(classes, orientation)), stored, orientation)


def read_instance_map(uri: str, label_map: LabelMap, max_pixels: int) -> NDArray[np.integer[Any]]:
    """Read the ids of an instance map, integers [H,W], turned as its label map was.

    It has to match the label map, which is that of the same scene. Ids are the numbers stored, or
    the greys where these are the colours of a palette.

    Raises:
        UnreadableImageError: with the file and the reason.
    """
    file, image = open_image(uri, max_pixels)
    with decoding(uri):
        ids = label_values(image, file).preferred
        check_same_grid(extent_of(file, image), label_map.extent)
    return np.ascontiguousarray(turn(ids, label_map.turned_by))


def check_borders(
    classes: NDArray[np.uint8], instance_ids: NDArray[np.integer[Any]], uri: str
) -> None:
    """Check that an instance map is of the scene of its label map, where those of the set are.

    Raises:
        UnreadableImageError: their borders agree hardly better than by chance.
    """
    agreement = border_agreement(classes, instance_ids)
    if agreement is not None and agreement < LEAST_AGREEMENT:
        raise UnreadableImageError(
            uri,
            "its borders are not those of the label map, unlike in the other instance maps of the "
            f"set (they agree to {max(0.0, agreement):.0%}): it may be cropped, turned, or of "
            "another image. --accept-implausible takes it",
        )


def resize_label_map(label_map: NDArray[Integer], height: int, width: int) -> NDArray[Integer]:
    """Resize integers [H,W] to [height,width] by nearest neighbour at pixel centres."""
    image = Image.fromarray(label_map)
    return np.asarray(image.resize((width, height), Image.Resampling.NEAREST))
