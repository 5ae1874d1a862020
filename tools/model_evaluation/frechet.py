"""Fréchet distance between the Gaussians that fit two sets of features."""

from __future__ import annotations

from torch import Tensor

from spadepis.quality.gaussians import fit_gaussian, squared_wasserstein_distance


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Squared Fréchet distance, which Heusel et al. (NeurIPS 2017) take between sets of pictures.

    Args:
        a: feature vectors [n,C], n >= 2.
        b: feature vectors [m,C], m >= 2.
    """
    gaussians = [fit_gaussian(vectors.cpu().numpy()) for vectors in (a, b)]
    return squared_wasserstein_distance(*gaussians)


def as_vectors(features: Tensor) -> Tensor:
    """Features [N,C,h,w] as vectors [N*h*w,C], one for each position."""
    return features.movedim(1, -1).flatten(0, -2)
