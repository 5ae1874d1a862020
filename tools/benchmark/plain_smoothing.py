"""Closed-form smoothing by a sparse factorisation, as published."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from spadepis.smoothing.closed_form import PADDING

BETA = 0.9999
EPSILON = 1e-7


def smooth_by_factorization(
    content: NDArray[np.uint8], stylized: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Smooth a photo [H,W,3] as ``smooth`` does, with SuperLU in its default column order.

    Li et al., "A Closed-form Solution to Photorealistic Image Stylization", ECCV 2018, eq. 4 to 6.
    """
    sides = [(PADDING, PADDING), (PADDING, PADDING), (0, 0)]
    matrix = _system(np.pad(content / 255, sides, "edge"))
    y = np.pad(stylized.astype(np.float64), sides, "edge")
    smoothed = (1 - BETA) * splu(matrix).solve(y.reshape(-1, 3))
    inside = slice(PADDING, -PADDING)
    return smoothed.reshape(y.shape)[inside, inside].clip(0, 1)


def _system(content: NDArray[np.float64]) -> scipy.sparse.csc_matrix:
    """Id - beta D^-1/2 W D^-1/2, with the matting affinity W of an image [H,W,3].

    Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting" (PAMI 2008,
    eq. 12).
    """
    height, width, _ = content.shape
    pixels = np.arange(height * width).reshape(height, width)
    windows = sliding_window_view(pixels, (3, 3)).reshape(-1, 9)
    colours = content.reshape(-1, 3)[windows]
    centred = colours - colours.mean(axis=1, keepdims=True)
    covariance = centred.transpose(0, 2, 1) @ centred / 9 + EPSILON / 9 * np.eye(3)
    ties = (1 + centred @ np.linalg.inv(covariance) @ centred.transpose(0, 2, 1)) / 9
    rows, columns = windows.repeat(9, axis=1).ravel(), np.tile(windows, 9).ravel()
    affinity = scipy.sparse.coo_matrix(
        (ties.ravel(), (rows, columns)), shape=(pixels.size, pixels.size)
    ).tocsr()
    root = scipy.sparse.diags(1 / np.sqrt(np.asarray(affinity.sum(axis=1)).ravel()))
    identity = scipy.sparse.identity(pixels.size)
    return scipy.sparse.csc_matrix(identity - BETA * (root @ affinity @ root))
