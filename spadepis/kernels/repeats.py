"""Equal results for pixels with equal neighbourhoods.

Max-pooling takes the first of equal values, and flat areas of photos are full of them. Direct
convolution gives pixels with equal neighbourhoods the same value. Winograd's method rounds by where
in its tile a pixel lies, so that such ties break at random unless the values are made equal again.
"""

import numpy as np
from numpy.typing import NDArray

from spadepis.kernels.compilation import compiled_as_written

Flat = NDArray[np.float32]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]


@compiled_as_written
def unify_repeats(
    image: NDArray[np.float32], rows: Indices, columns: Indices, output: NDArray[np.float32]
) -> None:
    """Give neighbouring pixels with equal 3x3 neighbourhoods the same result.

    Their results are equal but for rounding, which depends on where in its tile a pixel lies.

    Args:
        image: float32 [H,W,C].
        rows: the row of the image that each row of the padded image shows.
        columns: the same for columns.
        output: float32 [h,w,O], the results. The first pixel of each connected set of pixels with
            equal neighbourhoods is copied to the others.
    """
    height, width, _ = output.shape
    like_left, like_above = _compare_neighbours(image)
    if not (like_left.any() or like_above.any()):
        return
    first = np.arange(height * width)
    for y in range(height):
        for x in range(width):
            pixel = y * width + x
            if x > 0 and _repeats_left(like_left, rows, columns, y, x):
                first[pixel] = first[pixel - 1]
            if y > 0 and _repeats_above(like_above, rows, columns, y, x):
                _join(first, pixel, pixel - width)
    for pixel in range(height * width):
        source = _find_first(first, pixel)
        if source != pixel:
            output[pixel // width, pixel % width] = output[source // width, source % width]


@compiled_as_written
def _compare_neighbours(image: NDArray[np.float32]) -> tuple[Flags, Flags]:
    """Whether each pixel equals the one to its left, and whether it equals the one above it."""
    height, width, _ = image.shape
    like_left = np.zeros((height, width), np.bool_)
    like_above = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            like_left[y, x] = x > 0 and _equal(image[y, x], image[y, x - 1])
            like_above[y, x] = y > 0 and _equal(image[y, x], image[y - 1, x])
    return like_left, like_above


@compiled_as_written
def _equal(a: Flat, b: Flat) -> bool:
    c = 0
    while c < a.size and a[c] == b[c]:
        c += 1
    return c == a.size


@compiled_as_written
def _repeats_left(like_left: Flags, rows: Indices, columns: Indices, y: int, x: int) -> bool:
    """Whether the neighbourhood of pixel (y, x) equals that of (y, x - 1)."""
    for i in range(3):
        for j in range(3):
            # Mirrored columns count down.
            column = max(columns[x + j], columns[x + j - 1])
            if not like_left[rows[y + i], column]:
                return False
    return True


@compiled_as_written
def _repeats_above(like_above: Flags, rows: Indices, columns: Indices, y: int, x: int) -> bool:
    """Whether the neighbourhood of pixel (y, x) equals that of (y - 1, x)."""
    for i in range(3):
        row = max(rows[y + i], rows[y + i - 1])
        for j in range(3):
            if not like_above[row, columns[x + j]]:
                return False
    return True


@compiled_as_written
def _join(first: Indices, a: int, b: int) -> None:
    """Unite the sets of two pixels; the first pixel of the two becomes that of both sets."""
    a, b = _find_first(first, a), _find_first(first, b)
    first[max(a, b)] = min(a, b)


@compiled_as_written
def _find_first(first: Indices, pixel: int) -> int:
    while first[pixel] != pixel:
        pixel = first[pixel]
    return pixel
