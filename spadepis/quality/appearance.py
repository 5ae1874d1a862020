"""Properties of a picture that show flaws without another picture to compare it with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import laplace
from skimage.color import rgb2gray

# The side of a block of JPEG, and the largest step between blocks that is told from an edge.
BLOCK = 8
LARGEST_STEP = 4


def clipped_share(image: NDArray[np.uint8]) -> float:
    """The share of pixels of uint8 [H,W,3] that have a channel at 0 or 255."""
    return float(((image == 0) | (image == 255)).any(axis=2).mean())


def sharpness(image: NDArray[np.uint8]) -> float:
    """Standard deviation of the Laplacian of the luminance of uint8 [H,W,3], in 8-bit levels.

    Pech-Pacheco et al. (ICPR 2000) use its square. Blur lowers it, and noise raises it.
    """
    return float(laplace(rgb2gray(image) * 255).std())


def blockiness(image: NDArray[np.uint8]) -> float:
    """How much the edges of 8x8 blocks stand out in uint8 [H,W,3], in 8-bit levels.

    At each pixel, the slope of the luminance is compared with the mean of the slopes on both sides
    of it, as in Minami and Zakhor (1995). Differences above 4 levels are mostly details and count
    as 4. The mean difference at every eighth column, counted from where it is largest, exceeds the
    median of those at the other positions by the step at the edges of blocks. The same is done with
    rows, and the geometric mean of both is taken: a pattern in one direction is no grid.

    Returns:
        Nearly 0 for a picture without blocks, wherever it was cropped; NaN if it has fewer than
        11 rows or columns.
    """
    luminance = rgb2gray(image).astype(np.float32) * 255
    return float(np.sqrt(_step_at_blocks(luminance) * _step_at_blocks(luminance.T)))


def _step_at_blocks(plane: NDArray[np.float32]) -> float:
    """How much steps between columns stand out at every eighth column."""
    slopes = np.diff(plane, axis=1)
    bends = np.abs(slopes[:, 1:-1] - (slopes[:, :-2] + slopes[:, 2:]) / 2)
    columns = np.minimum(bends, LARGEST_STEP).mean(axis=0)
    if len(columns) < BLOCK:
        return float("nan")
    at_positions = [columns[position::BLOCK].mean() for position in range(BLOCK)]
    return float(np.max(at_positions) - np.median(at_positions))
