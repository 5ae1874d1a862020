"""Matting affinity, as the planes of a symmetric 5x5 stencil.

Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting" (PAMI 2008, eq. 12).
Two pixels i and j that share a 3x3 window w with mean colour mu and colour covariance C are
tied by

    (1 + (I_i - mu)^T (C + epsilon/9 Id)^-1 (I_j - mu)) / 9,

and the affinity W_ij sums that over all windows inside the image that hold both. The terms of
one window sum to 1 over j, so that row i of W sums to the number of windows over pixel i.
"""

import math

import numpy as np
from numpy.typing import NDArray

from spadepis.kernels.compilation import compiled_as_written

# Offset (rows, columns) from a pixel to its neighbour, for each plane of the stencil: the pixel
# itself and the 12 neighbours after it in reading order; the plane is 5 * rows + columns.
OFFSETS = tuple((plane // 5, plane % 5 - 2) for plane in range(2, 15))


def window_counts(height: int, width: int) -> NDArray[np.int64]:
    """Count the 3x3 windows inside the image over each pixel.

    Returns:
        int64 [height, width], 9 away from the border; 0 everywhere where a side is below 3.
    """

    def along(size: int) -> NDArray[np.int64]:
        i = np.arange(size)
        counts: NDArray[np.int64] = np.maximum(
            np.minimum(i, size - 3) - np.maximum(i - 2, 0) + 1, 0
        )
        return counts

    return np.multiply.outer(along(height), along(width))


def matting_affinity(content: NDArray[np.float64], epsilon: float) -> NDArray[np.float64]:
    """Matting affinity of an image.

    Args:
        content: float64 [H, W, 3] in [0, 1].
        epsilon: regularisation of the colour covariance, above 0.

    Returns:
        float64 [13, H, W]. Plane k at pixel (y, x) ties it with (y + rows, x + columns), where
        (rows, columns) = OFFSETS[k], and is 0 where that is outside the image.
    """
    height, width, _ = content.shape
    planes = np.zeros((len(OFFSETS), height, width))
    _add_windows(content, epsilon, planes)
    return planes


@compiled_as_written
def _add_windows(content: NDArray[np.float64], epsilon: float, planes: NDArray[np.float64]) -> None:
    height, width, _ = content.shape
    colour = np.empty((9, 3))
    for top in range(height - 2):
        for left in range(width - 2):
            for i in range(9):
                for c in range(3):
                    colour[i, c] = content[top + i // 3, left + i % 3, c]
            _whiten(colour, epsilon)
            for i in range(9):
                y, x = i // 3, i % 3
                for j in range(i, 9):
                    product = (
                        colour[i, 0] * colour[j, 0]
                        + colour[i, 1] * colour[j, 1]
                        + colour[i, 2] * colour[j, 2]
                    )
                    plane = 5 * (j // 3 - y) + j % 3 - x
                    planes[plane, top + y, left + x] += (1 + product) / 9


@compiled_as_written
def _whiten(colour: NDArray[np.float64], epsilon: float) -> None:
    """Turn the colours of a window, in place, into G^-1 (I_i - mu) with G G^T = C + epsilon/9 Id.

    The Cholesky factor keeps the small eigenvalues of flat or grey windows, which an inverse by
    cofactors loses.
    """
    for c in range(3):
        mean = 0.0
        for i in range(9):
            mean += colour[i, c]
        mean /= 9
        for i in range(9):
            colour[i, c] -= mean
    c00 = c10 = c11 = c20 = c21 = c22 = 0.0
    for i in range(9):
        r, g, b = colour[i, 0], colour[i, 1], colour[i, 2]
        c00 += r * r
        c10 += g * r
        c11 += g * g
        c20 += b * r
        c21 += b * g
        c22 += b * b
    inverse00 = 1 / math.sqrt((c00 + epsilon) / 9)
    g10 = c10 / 9 * inverse00
    g20 = c20 / 9 * inverse00
    inverse11 = 1 / math.sqrt((c11 + epsilon) / 9 - g10 * g10)
    g21 = (c21 / 9 - g20 * g10) * inverse11
    inverse22 = 1 / math.sqrt((c22 + epsilon) / 9 - g20 * g20 - g21 * g21)
    for i in range(9):
        r = colour[i, 0] * inverse00
        g = (colour[i, 1] - g10 * r) * inverse11
        b = (colour[i, 2] - g20 * r - g21 * g) * inverse22
        colour[i, 0], colour[i, 1], colour[i, 2] = r, g, b
