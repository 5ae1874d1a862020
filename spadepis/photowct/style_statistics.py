"""Whitening, colouring, and the statistics of a style that colouring needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spadepis.photowct.covariance_roots import colouring_matrix, whitening_matrix
from spadepis.photowct.regions import SMALLEST_AREA, region_areas, resize_regions


@dataclass(frozen=True)
class FeatureStatistics:
    """First and second order statistics of features of a style at one level.

    Attributes:
        mean: [C].
        colouring: [C,C], the symmetric square root of the covariance.
    """

    mean: Tensor
    colouring: Tensor


@dataclass(frozen=True)
class StyleStatistics:
    """What PhotoWCT keeps of a style photo, to be applied to any content.

    Attributes:
        photo: statistics of the whole photo, by level.
        regions: statistics of each region that may match, by label and level; levels at which a
            region has fewer than two pixels are missing.
        areas: number of pixels at full size, by label; empty for a photo without region map.
    """

    photo: Mapping[int, FeatureStatistics]
    regions: Mapping[int, Mapping[int, FeatureStatistics]]
    areas: Mapping[int, int]

    @property
    def num_bytes(self) -> int:
        """Memory that the statistics take up."""
        by_level = (self.photo, *self.regions.values())
        each = (statistics for levels in by_level for statistics in levels.values())
        return sum(statistics.mean.nbytes + statistics.colouring.nbytes for statistics in each)


def feature_statistics(features: Tensor) -> FeatureStatistics:
    """Mean and symmetric square root of the covariance of features [C,n], n >= 2.

    Li et al., section 3.1: colouring is ``E_s diag(sqrt(lambda_s)) E_s^T``; eigenvalues below
    1e-5 are dropped. Statistics of features in half precision are in float32.
    """
    mean, covariance = _mean_and_covariance(features)
    return FeatureStatistics(mean, colouring_matrix(covariance))


def style_statistics(features: Mapping[int, Tensor], regions: Tensor | None) -> StyleStatistics:
    """The statistics of a style photo.

    Args:
        features: [1,C,h,w] by level.
        regions: integer map [H,W] of the photo, or None.
    """
    photo = {level: feature_statistics(x[0].flatten(1)) for level, x in features.items()}
    if regions is None:
        return StyleStatistics(photo, regions={}, areas={})
    areas = region_areas(regions)
    labels = matchable_labels(areas)
    statistics: dict[int, dict[int, FeatureStatistics]] = {label: {} for label in labels}
    for level, x in features.items():
        labels_at_level = resize_regions(regions, *x.shape[-2:]).to(x.device)
        for label in labels:
            region = x[0][:, labels_at_level == label]
            if region.shape[1] >= 2:
                statistics[label][level] = feature_statistics(region)
    return StyleStatistics(photo, statistics, areas)


def matchable_labels(areas: Mapping[int, int]) -> list[int]:
    """Labels that may match some other photo's: of known classes, and not very small."""
    return [label for label in areas if label >= 0 and areas[label] > SMALLEST_AREA]


@dataclass(frozen=True)
class Whitening:
    """The transform after which content features have no covariance of their own.

    Attributes:
        mean: [...,C].
        matrix: [...,C,C], the inverse symmetric square root of the covariance plus identity.
    """

    mean: Tensor
    matrix: Tensor

    def __getitem__(self, index: int) -> Whitening:
        """The whitening of one of a batch."""
        return Whitening(self.mean[index], self.matrix[index])

    def towards(self, style: FeatureStatistics, strength: float = 1.0) -> tuple[Tensor, Tensor]:
        """Whitening and colouring (Li et al., eq. 3) as one affine map.

        Args:
            style: the statistics to be taken.
            strength: strength of the style, in [0,1].

        Returns:
            Matrix [C,C] and offset [C]: for features x, ``matrix @ x + offset`` has the mean and
            covariance of ``style`` at strength 1, and is x itself at strength 0.
        """
        matrix = style.colouring @ self.matrix
        offset = style.mean - matrix @ self.mean
        # An affine map blended with the identity is an affine map, and costs no more to apply.
        identity = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
        return torch.lerp(identity, matrix, strength), strength * offset


def find_whitening(features: Tensor) -> Whitening:
    """Mean and whitening matrix of content features [...,C,n], n >= 2.

    Li et al., section 3.1: whitening is ``E_c diag(1/sqrt(lambda_c)) E_c^T``. As in the
    published code the identity is added to the covariance first, so no eigenvalue is below 1.
    """
    mean, covariance = _mean_and_covariance(features)
    return Whitening(mean, whitening_matrix(covariance))


def _mean_and_covariance(features: Tensor) -> tuple[Tensor, Tensor]:
    if features.dtype in (torch.float16, torch.bfloat16):
        features = features.float()
    mean = features.mean(dim=-1)
    centred = features - mean.unsqueeze(-1)
    return mean, centred @ centred.mT / (features.shape[-1] - 1)
