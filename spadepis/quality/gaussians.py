"""The distance between Gaussians, by which distributions of colours or features are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution.

    Attributes:
        mean: float64 [C].
        covariance: float64 [C,C].
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def fit_gaussian(vectors: NDArray[np.floating]) -> Gaussian:
    """The Gaussian with the mean and the covariance of vectors [n,C], n >= 2."""
    vectors = vectors.astype(np.float64)
    return Gaussian(vectors.mean(axis=0), np.cov(vectors.T))


def squared_wasserstein_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Wasserstein-2 distance, also known as the squared Fréchet distance.

    Dowson and Landau (1982): ``|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))``. It is the
    mean square of how far a sample of one has to move to become a sample of the other.
    """
    # tr (S_a S_b)^(1/2) = tr (R S_b R)^(1/2), where R is the symmetric root of S_a.
    eigenvalues, eigenvectors = np.linalg.eigh(a.covariance)
    root = (eigenvectors * np.sqrt(eigenvalues.clip(min=0))) @ eigenvectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ b.covariance @ root).clip(min=0)).sum()
    covariances = np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross
    # Rounding may make what is 0 negative.
    return float(np.sum((a.mean - b.mean) ** 2) + max(0.0, covariances))
