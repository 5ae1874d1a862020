"""How far the colours of two pictures are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab


@dataclass(frozen=True)
class ColourStatistics:
    """Of the pixels of a picture in CIELAB.

    Attributes:
        mean: [3].
        covariance: [3,3].
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def colour_statistics(image: NDArray[np.uint8]) -> ColourStatistics:
    """Mean and covariance of the colours of uint8 [H,W,3] in CIELAB (D65)."""
    pixels = rgb2lab(image).reshape(-1, 3).astype(np.float64)
    return ColourStatistics(pixels.mean(axis=0), np.cov(pixels.T))


def colour_distance(a: ColourStatistics, b: ColourStatistics) -> float:
    """Distance between the colours of two pictures in units of CIELAB, where 2.3 is just visible.

    It is the Wasserstein distance between Gaussians (Dowson and Landau, 1982): how far a pixel has
    to go, in the root mean square, for one picture to get the mean and covariance of the other.
    """
    eigenvalues, eigenvectors = np.linalg.eigh(a.covariance)
    root = (eigenvectors * np.sqrt(eigenvalues.clip(min=0))) @ eigenvectors.T
    cross = np.linalg.eigvalsh(root @ b.covariance @ root).clip(min=0)
    covariances = np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.sqrt(cross).sum()
    return float(np.sqrt(np.sum((a.mean - b.mean) ** 2) + max(0.0, covariances)))
