"""Whether a photo and the maps that describe it show the same pixels, and how they are turned.

A camera stores a photo as the sensor lies and says in EXIF how to turn it for display. Tools that
draw label maps work on either of these two grids, and label maps do not say on which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.inputs.image_files import Extent, RefusedImageError, Size

Grid = Literal["stored", "displayed"]
"""The grid of a label map: that of its photo as stored, or as turned for display."""
Pixel = TypeVar("Pixel", bound=np.generic)
UPRIGHT = 1
_TRANSPOSING = (5, 6, 7, 8)


def turn(image: NDArray[Pixel], orientation: int) -> NDArray[Pixel]:
    """Turn a stored image for display.

    Args:
        image: any dtype [H,W,...].
        orientation: 1 to 8, which are the row and column that the stored top and left edges
            become (Exif 2.32, 4.6.4).

    Returns:
        A view, [H,W,...] or, for orientations 5 to 8, [W,H,...].
    """
    if orientation in _TRANSPOSING:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


def is_same_shape(first: Size, second: Size) -> bool:
    """Whether two sizes differ by a uniform scale, but for rounding.

    Programs round each side up, down or to the nearest pixel: there has to be a scale by which both
    sides of the larger one come within less than a pixel of those of the smaller one.
    """
    smaller, larger = sorted((first, second), key=math.prod)
    least = max((side - 1) / of for side, of in zip(smaller, larger, strict=True))
    most = min((side + 1) / of for side, of in zip(smaller, larger, strict=True))
    return least < most


def possible_grids(label_map: Extent, photo: Extent) -> frozenset[Grid]:
    """The grids that a label map may lie on, by the sizes alone."""
    possible: set[Grid] = set()
    if is_same_shape(label_map.size, photo.size):
        possible.add("stored")
    if is_same_shape(label_map.displayed_size, photo.displayed_size):
        possible.add("displayed")
    return frozenset(possible)


def common_grid(pairs: Iterable[tuple[Extent, Extent]]) -> Grid | None:
    """The grid of all label maps whose sizes tell, each with its photo, if it is one."""
    grids = (possible_grids(*pair) for pair in pairs if _is_turned(*pair))
    decided = {grid for possible in grids if len(possible) == 1 for grid in possible}
    return decided.pop() if len(decided) == 1 else None


def orientation_on(label_map: Extent, photo: Extent, grid: Grid | None) -> int:
    """The orientation by which a label map is turned, to lie on its photo as displayed.

    ``grid`` is that of label maps whose sizes do not tell; None if it is not known.

    Raises:
        RefusedImageError: the sizes do not match, or the grid cannot be told.
    """
    possible = possible_grids(label_map, photo)
    if not possible:
        raise RefusedImageError(
            f"it has {_shown(label_map.size)} pixels and the photo has "
            f"{_shown(photo.displayed_size)}{_before_turning(photo)}: they do not show the same, "
            f"for neither is a uniformly scaled copy of the other"
        )
    if not _is_turned(label_map, photo):
        return photo.orientation
    if len(possible) == 2 and grid is None:
        raise RefusedImageError(
            f"the photo has the EXIF orientation {photo.orientation}, the label map "
            f"{label_map.orientation}, and both have {_shown(photo.size)} pixels, which does not "
            f"tell whether the label map was drawn on the photo as stored or as displayed; "
            f"--label-grid stored or --label-grid displayed decides"
        )
    decided = grid if grid in possible else next(iter(possible))
    return photo.orientation if decided == "stored" else label_map.orientation


def check_same_grid(instance_map: Extent, label_map: Extent) -> None:
    """Check that an instance map lies on the grid of its label map, both as stored.

    Raises:
        RefusedImageError: it does not.
    """
    if not is_same_shape(instance_map.size, label_map.size):
        raise RefusedImageError(
            f"it has {_shown(instance_map.size)} pixels and the label map has "
            f"{_shown(label_map.size)}: neither is a uniformly scaled copy of the other"
        )
    if instance_map.orientation != label_map.orientation:
        raise RefusedImageError(
            f"it has the EXIF orientation {instance_map.orientation} and the label map "
            f"{label_map.orientation}"
        )


def _is_turned(label_map: Extent, photo: Extent) -> bool:
    """Whether it matters on which grid the label map lies."""
    return label_map.orientation != photo.orientation


def _shown(size: Size) -> str:
    height, width = size
    return f"{width}x{height}"


def _before_turning(photo: Extent) -> str:
    if photo.orientation == UPRIGHT:
        return ""
    return f", or {_shown(photo.size)} before its EXIF orientation {photo.orientation} is applied"
