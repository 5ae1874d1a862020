"""Fréchet distance between Gaussians fitted to features."""

from __future__ import annotations

import torch
from torch import Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared Fréchet distance between the Gaussians that fit two sets of features.

    Dowson and Landau (1982): ``|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))``; Heusel et al.
    (NeurIPS 2017) made it the usual distance between sets of pictures.

    Args:
        a: feature vectors [n,C], n >= 2.
        b: feature vectors [m,C], m >= 2.
    """
    mean_a, covariance_a = _gaussian(a)
    mean_b, covariance_b = _gaussian(b)
    # tr (S_a S_b)^(1/2) = tr (R S_b R)^(1/2) with R the symmetric root of S_a.
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance_a)
    root = (eigenvectors * eigenvalues.clamp(min=0).sqrt()) @ eigenvectors.T
    cross = torch.linalg.eigvalsh(root @ covariance_b @ root).clamp(min=0).sqrt().sum()
    means = (mean_a - mean_b).square().sum()
    return float(means + covariance_a.trace() + covariance_b.trace() - 2 * cross)


def as_vectors(features: Tensor) -> Tensor:
    """Features [N,C,h,w] as vectors [N*h*w,C], one for each position."""
    return features.movedim(1, -1).flatten(0, -2)


def _gaussian(vectors: Tensor) -> tuple[Tensor, Tensor]:
    vectors = vectors.double()
    return vectors.mean(dim=0), torch.cov(vectors.T)
