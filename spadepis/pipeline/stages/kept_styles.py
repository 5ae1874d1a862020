"""Statistics of style photos, which are computed once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache
from cachetools.keys import hashkey
from numpy.typing import NDArray
from torch import Tensor

from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.photos import limit_longest_side, read_photo_with_extent
from spadepis.dataset.inputs.shards import read_source_once
from spadepis.photowct import PhotoTooSmallError, PhotoWCT, StyleStatistics
from spadepis.photowct.photowct import SMALLEST_SIDE
from spadepis.pipeline.scene import Style
from spadepis.pipeline.stages.device_transfer import upload
from spadepis.pipeline.stages.halving import in_halves
from spadepis.pipeline.stages.region_guidance import RegionGuidance

# At the published width the statistics of a style take 1.4 MB, and as much for each region.
KEPT_STYLE_BYTES = 384 << 20
# Of the memory of a GPU, which keeps the styles on it: 1 GB on a T4, 5 GB on an H100.
KEPT_STYLE_SHARE = 1 / 16


class KeptStyles:
    """The statistics of the styles that were used last.

    Args:
        network: computes them.
        device: where it is, "cpu" or e.g. "cuda:0".
        longest_side: style photos are shrunk to this.
        max_pixels: style photos with more are refused.
        guidance: reads the label maps of styles, if these have any.
    """

    def __init__(
        self,
        network: PhotoWCT,
        device: str,
        longest_side: int,
        max_pixels: int,
        guidance: RegionGuidance | None,
    ) -> None:
        self._network = network
        self._device = device
        self._longest_side = longest_side
        self._max_pixels = max_pixels
        self._guidance = guidance
        # Their number would not do as a limit: a style takes as much again for each region.
        self._kept: LRUCache[Any, StyleStatistics] = LRUCache(
            _kept_style_bytes(device), getsizeof=lambda statistics: statistics.num_bytes
        )

    def find(self, style: Style) -> StyleStatistics:
        """The statistics of a style.

        Raises:
            UnreadableImageError: the photo or its label map cannot be used.
        """
        key = hashkey(style.source, style.mask_source)
        statistics = self._kept.get(key)
        if statistics is None:
            statistics = self.compute(style, self._network)
            self._keep(key, statistics)
        return statistics

    def _keep(self, key: Any, statistics: StyleStatistics) -> None:
        if statistics.num_bytes <= self._kept.maxsize:
            self._kept[key] = statistics

    def compute(self, style: Style, network: PhotoWCT) -> StyleStatistics:
        """The statistics of a style by another network, which are not kept.

        Raises:
            UnreadableImageError: the photo or its label map cannot be used.
        """
        photo, regions = self._read(style)
        try:
            return network.encode_style(_in_unit_range(photo, self._device), regions)
        except PhotoTooSmallError as error:
            raise UnreadableImageError(str(style.source), str(error)) from error

    def compute_together(self, styles: Sequence[Style]) -> None:
        """Compute the statistics of those that are not known yet at once.

        Styles that cannot be used are left out; ``find`` says what is wrong with them.
        """
        photos = {}
        for style in styles:
            key = hashkey(style.source, style.mask_source)
            if style.source is None or key in photos or key in self._kept:
                continue
            try:
                photo, regions = self._read(style)
            except UnreadableImageError:
                continue
            if min(photo.shape[:2]) >= SMALLEST_SIDE:
                photos[key] = photo, regions

        def encode(keys: Sequence[Any]) -> None:
            images = [_in_unit_range(photos[key][0], self._device) for key in keys]
            maps = [regions for _, regions in map(photos.__getitem__, keys) if regions is not None]
            encoded = self._network.encode_styles(images, maps or None)
            for key, statistics in zip(keys, encoded, strict=True):
                self._keep(key, statistics)

        if photos:
            in_halves(encode, list(photos), lambda *_: None)

    def _read(self, style: Style) -> tuple[NDArray[np.uint8], Tensor | None]:
        """A style photo [h,w,3] and its region map, if regions guide the transfer."""
        assert style.source is not None
        stored = read_photo_with_extent(style.source, self._max_pixels, read_source_once)
        photo = limit_longest_side(stored.pixels, self._longest_side)
        if self._guidance is None:
            return photo, None
        assert style.mask_source is not None
        height, width = photo.shape[:2]
        return photo, self._guidance.read_regions(
            style.mask_source, stored.extent, height, width, self._max_pixels
        )


def _in_unit_range(photo: NDArray[np.uint8], device: str) -> Tensor:
    return upload(photo, device).permute(2, 0, 1) / 255


def _kept_style_bytes(device: str) -> int:
    if torch.device(device).type == "cpu" or not torch.cuda.is_available():
        return KEPT_STYLE_BYTES
    return int(KEPT_STYLE_SHARE * torch.cuda.get_device_properties(device).total_memory)
