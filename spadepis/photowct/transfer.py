"""Moving style statistics onto content features, over the whole photo or region by region."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from spadepis.photowct.regions import matched_labels, region_areas, resize_regions
from spadepis.photowct.style_statistics import StyleStatistics, WhitenedFeatures, whiten


class ContentFeatures:
    """Features of one content photo at one level; whitened once, coloured by any style.

    Args:
        features: [C,h,w].
        level: 4 to 1.
        regions: integer map [H,W] of the content at full size, or None.
    """

    def __init__(self, features: Tensor, level: int, regions: Tensor | None) -> None:
        self.features = features
        self.level = level
        self.regions = regions
        self._whitened_regions: dict[int, WhitenedFeatures] = {}

    def transfer(self, style: StyleStatistics) -> Tensor:
        """Features [1,C,h,w] with the statistics of ``style`` at this level.

        With a region map on both sides every label takes the statistics of the same label;
        labels that do not match, and those with under two pixels left at this level, keep
        their features. Otherwise the whole photo takes the statistics of the whole style.
        """
        if self.regions is None or not style.areas:
            stylized = self._whitened.colour(style.whole[self.level])
        else:
            stylized = self.features.flatten(1).clone()
            for label in matched_labels(self._areas, style.areas):
                inside = self._labels == label
                if self.level in style.regions[label] and int(inside.sum()) >= 2:
                    whitened = self._whitened_region(label, inside)
                    stylized[:, inside] = whitened.colour(style.regions[label][self.level])
        return stylized.view_as(self.features).unsqueeze(0)

    @cached_property
    def _whitened(self) -> WhitenedFeatures:
        return whiten(self.features.flatten(1))

    def _whitened_region(self, label: int, inside: Tensor) -> WhitenedFeatures:
        if label not in self._whitened_regions:
            self._whitened_regions[label] = whiten(self.features.flatten(1)[:, inside])
        return self._whitened_regions[label]

    @cached_property
    def _areas(self) -> dict[int, int]:
        assert self.regions is not None
        return region_areas(self.regions)

    @cached_property
    def _labels(self) -> Tensor:
        assert self.regions is not None
        labels = resize_regions(self.regions, *self.features.shape[1:])
        return labels.flatten().to(self.features.device)
