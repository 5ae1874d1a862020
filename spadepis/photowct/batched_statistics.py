"""Statistics of many style photos at once, as a GPU computes them: the host waits for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spadepis.photowct.batched_transfer import PhotoMoments, RegionMoments
from spadepis.photowct.covariance_roots import colouring_matrix
from spadepis.photowct.region_tiles import groups_at_level, tile_regions
from spadepis.photowct.regions import region_areas
from spadepis.photowct.style_statistics import (
    FeatureStatistics,
    StyleStatistics,
    matchable_labels,
)


@dataclass(frozen=True)
class StyleMoments:
    """Means and covariances of S style photos of one size, and of their regions.

    Attributes:
        means: [S,1+R,C] by level; first those of the whole photo.
        covariances: [S,1+R,C,C] by level.
        regions: labels of each photo, with the levels at which they have two pixels or more.
        areas: number of pixels of each label, by photo.
    """

    means: Mapping[int, Tensor]
    covariances: Mapping[int, Tensor]
    regions: Sequence[Mapping[int, set[int]]]
    areas: Sequence[Mapping[int, int]]

    @classmethod
    def of(cls, features: Mapping[int, Tensor], regions: Sequence[Tensor] | None) -> StyleMoments:
        """The moments of features [S,C,h,w] by level, with region maps [H,W] or without."""
        photos = {level: PhotoMoments.of(x) for level, x in features.items()}
        means = {level: moments.means[:, None] for level, moments in photos.items()}
        covariances = {level: moments.covariances[:, None] for level, moments in photos.items()}
        count = len(next(iter(features.values())))
        if regions is None:
            return cls(means, covariances, [{}] * count, [{}] * count)
        areas = [region_areas(region_map) for region_map in regions]
        labels = [matchable_labels(own) for own in areas]
        levels: list[dict[int, set[int]]] = [{label: set() for label in own} for own in labels]
        others = max(map(len, labels))
        for level, x in features.items() if others else ():
            groups = groups_at_level(regions, labels, others, *x.shape[2:])
            for own, group in zip(levels, groups, strict=True):
                for number, label in enumerate(own):
                    if (group == number).sum() >= 2:
                        own[label].add(level)
            tiles = tile_regions(groups, others + 1, x.device, means[level].dtype)
            moments = RegionMoments.of(x, tiles)
            means[level] = torch.cat([means[level], moments.means[:, :-1]], dim=1)
            covariances[level] = torch.cat([covariances[level], moments.covariances[:, :-1]], dim=1)
        return cls(means, covariances, levels, areas)


def styles_from_moments(batches: Sequence[StyleMoments]) -> list[StyleStatistics]:
    """The statistics of all photos of all batches."""
    colourings: list[dict[int, Tensor]] = [{} for _ in batches]
    for level in batches[0].covariances:
        each = [batch.covariances[level] for batch in batches]
        channels = each[0].shape[-1]
        together = torch.cat([covariances.view(-1, channels, channels) for covariances in each])
        parts = torch.split(colouring_matrix(together), [c.shape[0] * c.shape[1] for c in each])
        for own, covariances, part in zip(colourings, each, parts, strict=True):
            own[level] = part.view_as(covariances)
    return [
        _statistics(batch, own, photo)
        for batch, own in zip(batches, colourings, strict=True)
        for photo in range(len(batch.areas))
    ]


def _statistics(
    batch: StyleMoments, colourings: Mapping[int, Tensor], photo: int
) -> StyleStatistics:
    def statistics(level: int, index: int) -> FeatureStatistics:
        # A view would keep those of all other photos in memory.
        mean, colouring = batch.means[level][photo, index], colourings[level][photo, index]
        return FeatureStatistics(mean.clone(), colouring.clone())

    regions = {
        label: {level: statistics(level, index) for level in batch.means if level in levels}
        for index, (label, levels) in enumerate(batch.regions[photo].items(), start=1)
    }
    return StyleStatistics(
        {level: statistics(level, 0) for level in batch.means}, regions, batch.areas[photo]
    )
