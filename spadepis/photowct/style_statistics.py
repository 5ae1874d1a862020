"""Whitening, colouring, and the statistics of a style that colouring needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST_STYLE_EIGENVALUE = 1e-5


@dataclass(frozen=True)
class FeatureStatistics:
    """First and second order statistics of the features of one style region at one level.

    Attributes:
        mean: [C].
        colouring: [C,C], the symmetric square root of the covariance.
    """

    mean: Tensor
    colouring: Tensor


@dataclass(frozen=True)
class StyleStatistics:
    """All that PhotoWCT keeps of a style photo: computed once, applied to any content.

    Attributes:
        whole: the statistics of the whole photo by level, 4 to 1.
        regions: the same by label; a level at which the region has under two pixels is left out.
        areas: pixels by label at full size; empty for a photo without region map.
    """

    whole: Mapping[int, FeatureStatistics]
    regions: Mapping[int, Mapping[int, FeatureStatistics]]
    areas: Mapping[int, int]


def feature_statistics(features: Tensor) -> FeatureStatistics:
    """Mean and symmetric square root of the covariance of features [C,n], n >= 2.

    Li et al., section 3.1: colouring is ``E_s diag(sqrt(lambda_s)) E_s^T``; eigenvalues under
    1e-5 are dropped.
    """
    mean, covariance = _mean_and_covariance(features)
    # In float32 the threshold drowns in rounding beside large eigenvalues, and now and then eigh
    # gives NaN for channels that are zero everywhere (MKL 2024.2 reads uninitialized memory).
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance.double())
    roots = torch.where(
        eigenvalues >= SMALLEST_STYLE_EIGENVALUE, eigenvalues.clamp(min=0).sqrt(), 0
    )
    colouring = (eigenvectors * roots) @ eigenvectors.T
    return FeatureStatistics(mean, colouring.to(mean.dtype))


@dataclass(frozen=True)
class WhitenedFeatures:
    """Content features ready to take any style: centred, with their whitening matrix.

    Attributes:
        centred: [C,n].
        whitening: [C,C], the inverse symmetric square root of the covariance plus identity.
    """

    centred: Tensor
    whitening: Tensor

    def colour(self, style: FeatureStatistics) -> Tensor:
        """Features [C,n] with the mean and covariance of ``style`` (Li et al., eq. 3)."""
        transform = style.colouring @ self.whitening
        return torch.addmm(style.mean.unsqueeze(1), transform, self.centred)


def whiten(features: Tensor) -> WhitenedFeatures:
    """Centre features [C,n], n >= 2, and find their whitening matrix.

    Li et al., section 3.1: whitening is ``E_c diag(1/sqrt(lambda_c)) E_c^T``. As in the
    published code the identity is added to the covariance first, so no eigenvalue is under 1.
    """
    mean, covariance = _mean_and_covariance(features)
    identity = torch.eye(len(features), dtype=features.dtype, device=features.device)
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance + identity)
    # In float32 rounding may push the smallest below 1, even below 0, beside a very large one.
    whitening = (eigenvectors * eigenvalues.clamp(min=1).rsqrt()) @ eigenvectors.T
    return WhitenedFeatures(features - mean.unsqueeze(1), whitening)


def _mean_and_covariance(features: Tensor) -> tuple[Tensor, Tensor]:
    mean = features.mean(dim=1)
    centred = features - mean.unsqueeze(1)
    return mean, centred @ centred.T / (features.shape[1] - 1)
