"""Moving style statistics onto content features, over the whole photo or region by region.

This is the form for CPUs, one photo and style at a time; ``batched_transfer`` is that for GPUs.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from spadepis.kernels.convolution import convolve_1x1
from spadepis.photowct.regions import matched_labels, region_areas, resize_regions
from spadepis.photowct.style_statistics import StyleStatistics, Whitening, find_whitening


class ContentFeatures:
    """Features of a content photo at one level, whitened once for any number of styles.

    Args:
        features: [1,C,h,w].
        level: 4 to 1.
        regions: integer map [H,W] at full size, or None.
        fallback: whether labels that do not match take the statistics of the whole style.
        strength: strength of the style, in [0,1]; see ``Whitening.towards``.
    """

    def __init__(
        self,
        features: Tensor,
        level: int,
        regions: Tensor | None,
        fallback: bool = False,
        strength: float = 1.0,
    ) -> None:
        self.features = features
        self.level = level
        self.regions = regions
        self.fallback = fallback
        self.strength = strength
        self._whitening_of_regions: dict[int, Whitening] = {}

    def transfer(self, style: StyleStatistics) -> Tensor:
        """Give the features the statistics of a style at this level.

        If content and style have region maps, every label takes the statistics of the same label.
        Labels that do not match, and those with fewer than two pixels at this level, keep their
        features, or with ``fallback`` take part in the transfer from whole content to whole style.
        Without region maps, all features do.

        Returns:
            [1,C,h,w].
        """
        if self.regions is None or not style.areas:
            return self._transfer_photo(style)
        features = self.features[0].flatten(1)
        whole = self._transfer_photo(style) if self.fallback else self.features.clone()
        stylized = whole[0].flatten(1)
        for label in matched_labels(self._areas, style.areas):
            inside = self._labels == label
            if self.level in style.regions[label] and int(inside.sum()) >= 2:
                whitening = self._whitening_of_region(label, inside)
                transform = whitening.towards(style.regions[label][self.level], self.strength)
                matrix, offset = (part.to(features.dtype) for part in transform)
                stylized[:, inside] = torch.addmm(offset[:, None], matrix, features[:, inside])
        return stylized.view_as(self.features)

    def _transfer_photo(self, style: StyleStatistics) -> Tensor:
        """Features [1,C,h,w] with the statistics of a whole style photo."""
        transform = self._whitening.towards(style.photo[self.level], self.strength)
        matrix, offset = (part.to(self.features.dtype) for part in transform)
        return convolve_1x1(self.features, matrix[:, :, None, None], offset)

    @cached_property
    def _whitening(self) -> Whitening:
        return find_whitening(self.features.flatten(2))[0]

    def _whitening_of_region(self, label: int, inside: Tensor) -> Whitening:
        if label not in self._whitening_of_regions:
            region = self.features[0].flatten(1)[:, inside]
            self._whitening_of_regions[label] = find_whitening(region)
        return self._whitening_of_regions[label]

    @cached_property
    def _areas(self) -> dict[int, int]:
        assert self.regions is not None
        return region_areas(self.regions)

    @cached_property
    def _labels(self) -> Tensor:
        assert self.regions is not None
        labels = resize_regions(self.regions, *self.features.shape[2:])
        return labels.flatten().to(self.features.device)
