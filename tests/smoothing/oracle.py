"""The smoothing system from its definition, one window at a time, solved by factorisation."""

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

Array = NDArray[np.float64]


def affinity(content: Array, epsilon: float) -> tuple[scipy.sparse.csc_array, Array]:
    """Matting affinity, and the number of windows over each pixel."""
    height, width, _ = content.shape
    pixels = np.arange(height * width).reshape(height, width)
    rows, columns, values = [], [], []
    counts = np.zeros(height * width)
    for y in range(height - 2):
        for x in range(width - 2):
            window = pixels[y : y + 3, x : x + 3].ravel()
            colours = content[y : y + 3, x : x + 3].reshape(9, 3)
            centred = colours - colours.mean(axis=0)
            covariance = centred.T @ centred / 9 + epsilon / 9 * np.eye(3)
            values.append((1 + centred @ np.linalg.solve(covariance, centred.T)).ravel() / 9)
            rows.append(np.repeat(window, 9))
            columns.append(np.tile(window, 9))
            counts[window] += 1
    if not values:
        return scipy.sparse.csc_array((height * width, height * width)), counts
    triplets = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return scipy.sparse.csc_array(triplets, shape=(height * width,) * 2), counts


def system(content: Array, beta: float = 0.9999, epsilon: float = 1e-7) -> scipy.sparse.csc_array:
    """A = (1 - beta) Id + beta D^-1/2 (D - W) D^-1/2."""
    weights, counts = affinity(content, epsilon)
    root = scipy.sparse.diags_array(1 / np.sqrt(np.maximum(counts, 1)))
    laplacian = scipy.sparse.diags_array(counts) - weights
    identity = scipy.sparse.eye_array(len(counts))
    return scipy.sparse.csc_array((1 - beta) * identity + beta * (root @ laplacian @ root))


def solve(content: Array, stylized: Array, beta: float = 0.9999) -> Array:
    """R = (1 - beta) A^-1 Y by SuperLU."""
    factors = splu(
        system(content, beta), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}
    )
    smoothed: Array = (1 - beta) * factors.solve(np.ascontiguousarray(stylized.reshape(-1, 3)))
    return smoothed.reshape(stylized.shape)
