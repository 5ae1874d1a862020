"""Deblocking by thresholding the DCT of blocks at shifted positions."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from spadepis.deblocking.quantization import Quantization

SIDE = 8
SHIFTS = 8
# Coefficients below these shares of a quantization step are set to 0. Half a step is what JPEG
# itself sets to 0. Chrominance has larger steps, so a smaller share keeps more of its detail.
LUMINANCE_SHARE = 0.5
CHROMINANCE_SHARE = 0.25
# From luminance and chrominance to RGB: ITU-T T.871, section 7.
TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)
FROM_RGB = np.linalg.inv(TO_RGB)


def deblock(photo: NDArray[np.uint8], quantization: Quantization) -> NDArray[np.uint8]:
    """Remove the blocks that JPEG leaves in a photo.

    JPEG rounds the DCT coefficients of each block to multiples of a quantization step. Steps from
    one block to the next appear, which, seen from a block at another position, are small
    coefficients. Nosratinia (2001, "Enhancement of JPEG-compressed images by re-application of
    JPEG") therefore quantizes the photo again at shifted positions and averages the results. Here
    only those coefficients are changed that this would set to 0, which loses less detail: the
    translation-invariant thresholding of Coifman and Donoho (1995), with the thresholds of JPEG.

    The positions of the original blocks do not matter: the photo may have been cropped.

    Args:
        photo: uint8 [H,W,3].
        quantization: of the JPEG file that the photo comes from.

    Returns:
        The photo without blocks, uint8 [H,W,3].
    """
    luminance = LUMINANCE_SHARE * quantization.luminance
    chrominance = CHROMINANCE_SHARE * _enlarge(quantization.chrominance, quantization.sampling)
    planes = FROM_RGB @ photo.reshape(-1, 3).T.astype(np.float32)
    changes = [
        _change(plane.reshape(photo.shape[:2]), thresholds).ravel()
        for plane, thresholds in zip(planes, (luminance, chrominance, chrominance), strict=True)
    ]
    change = (TO_RGB @ np.stack(changes)).T.reshape(photo.shape)
    return (photo + change).round().clip(0, 255).astype(np.uint8)


def _enlarge(steps: NDArray[np.float32], sampling: tuple[int, int]) -> NDArray[np.float32]:
    """The steps of a block before its samples were averaged.

    The low frequencies of the larger block are those of the smaller one, scaled; those above them
    are not stored.
    """
    rows, columns = sampling
    scaled = steps * np.float32(np.sqrt(rows * columns))
    return np.pad(scaled, [(0, SIDE * (rows - 1)), (0, SIDE * (columns - 1))], mode="edge")


def _change(plane: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is added to a plane [H,W], given the thresholds of the coefficients of a block."""
    height, width = plane.shape
    rows, columns = thresholds.shape
    padded = np.pad(
        plane, [(rows, rows + -height % rows), (columns, columns + -width % columns)], "symmetric"
    )
    total = np.zeros_like(padded)
    for shift in range(SHIFTS):
        # Along a diagonal that meets every row and every column of a block of 8 once.
        top, left = shift * rows // SHIFTS, 3 * shift % SHIFTS * columns // SHIFTS
        shifted = np.s_[top : top - rows, left : left - columns]
        total[shifted] += _threshold(padded[shifted], thresholds)
    total /= SHIFTS
    return total[rows : rows + height, columns : columns + width] - plane


def _threshold(plane: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.float32]:
    """A plane without the coefficients of its blocks that are below thresholds, except means."""
    rows, columns = thresholds.shape
    down, across = _dct_matrix(rows), _dct_matrix(columns)
    # Bands of a block's height are transformed downwards, and then pieces of their rows across.
    bands = down @ plane.reshape(-1, rows, plane.shape[1])
    coefficients = (bands.reshape(-1, columns) @ across.T).reshape(len(bands), rows, -1, columns)
    small = np.abs(coefficients) < thresholds[:, np.newaxis]
    small[:, 0, :, 0] = False
    coefficients[small] = 0
    bands = (coefficients.reshape(-1, columns) @ across).reshape(bands.shape)
    kept: NDArray[np.float32] = np.matmul(down.T, bands)
    return kept.reshape(plane.shape)


@cache
def _dct_matrix(size: int) -> NDArray[np.float32]:
    """The matrix [size,size] whose product with a vector is its orthonormal DCT."""
    return dct(np.eye(size), axis=0, norm="ortho").astype(np.float32)
