"""The look of style photos on content photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from cachetools import LRUCache, cached
from numpy.typing import NDArray
from torch import Tensor

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.node_cache import read_image_once
from spadepis.dataset.inputs.photos import limit_longest_side, read_photo_with_extent
from spadepis.matching.matching import Matching
from spadepis.photowct import PhotoTooSmallError, PhotoWCT, StyleStatistics
from spadepis.pipeline.device_errors import is_broken_device, is_out_of_memory
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.declarations import STYLIZE
from spadepis.pipeline.stages.device_transfer import on_host, quantize, split_batch, upload
from spadepis.pipeline.stages.halving import in_halves
from spadepis.pipeline.stages.region_guidance import RegionGuidance

# At the published width the statistics of a style take 1.4 MB, and as much for each region.
KEPT_STYLE_BYTES = 384 << 20
# Of the memory of a GPU, which keeps the styles on it: 1 GB on a T4, 5 GB on an H100.
KEPT_STYLE_SHARE = 1 / 16

StyleWithStatistics = tuple[Style, StyleStatistics]


def half_precision(device: str) -> torch.dtype:
    """The type of half precision for PhotoWCT: float16 is more exact, but slow on CPUs."""
    return torch.bfloat16 if torch.device(device).type == "cpu" else torch.float16


class Stylize:
    """Stylize the content photo of every scene with each of its styles by PhotoWCT.

    The statistics of a style are computed once and kept. A style photo that cannot be used, or
    whose label map cannot be used, fails its own pairs only.

    Args:
        checkpoint: path or URI of the network's weights.
        device: device of PyTorch, "cpu" or e.g. "cuda:0".
        half: whether to compute in half precision where the network bears it.
        longest_side: style photos are shrunk to this.
        max_pixels: style photos with more are refused.
        matching: chooses the styles of scenes that have none yet.
        styles: the styles that it chooses from, by id.
        guidance: compares the label maps of contents and styles, if these have any.
        strength: strength of the styles, 0 to 1.
    """

    declaration: ClassVar = STYLIZE

    def __init__(
        self,
        checkpoint: str,
        device: str,
        half: bool,
        longest_side: int,
        max_pixels: int,
        matching: Matching | None = None,
        styles: Mapping[str, Style] | None = None,
        guidance: RegionGuidance | None = None,
        strength: float = 1.0,
    ) -> None:
        self.network = PhotoWCT.from_checkpoint(fetch_checkpoint(checkpoint), device)
        if half:
            self.network.reduce_precision(half_precision(device))
        self.device = device
        self.longest_side = longest_side
        self.max_pixels = max_pixels
        self.matching = matching
        self.styles = styles or {}
        self.guidance = guidance
        self.strength = strength
        # Their number would not do as a limit: a style takes as much again for each region.
        kept: LRUCache[Any, StyleStatistics] = LRUCache(
            _kept_style_bytes(device), getsizeof=lambda statistics: statistics.num_bytes
        )
        self.style_statistics = cached(kept)(self._style_statistics)

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        """Fill in ``results``, not yet smoothed, of the scenes that have styles left."""
        for scene in scenes:
            if scene.choices and self.matching is not None:
                with scene.timed(STYLIZE.name):
                    self._choose_styles(scene, self.matching)
        # A GPU still works on the first scenes while the last ones are handed to it.
        stylized = [self._stylize(scene) for scene in scenes]
        for scene, parts in zip(scenes, stylized, strict=True):
            with scene.timed(STYLIZE.name):
                scene.results = [result for part in parts for result in split_batch(part)]
        return scenes

    def _choose_styles(self, scene: Scene, matching: Matching) -> None:
        chosen = matching.choose(
            scene.choices,
            label_map=scene.label_map,
            content=None if scene.content is None else on_host(scene.content),
            network=self.network,
            without=scene.passed_over,
        )
        scene.styles = [self.styles[id] for id in chosen]
        scene.choices = 0

    def _stylize(self, scene: Scene) -> list[Tensor]:
        """The results of a scene on the device, uint8 [K,H,W,3] in parts, in the order of styles.

        Styles that fail are removed from the scene.
        """
        stylized: list[Tensor] = []
        with scene.timed(STYLIZE.name):
            usable = self._usable_styles(scene)
            if not usable:
                return stylized
            assert scene.content is not None
            content = _in_unit_range(scene.content, self.device)
            regions = self._regions(scene)

            def stylize(styles: Sequence[StyleWithStatistics]) -> None:
                images = self.network.stylize(
                    content,
                    [statistics for _, statistics in styles],
                    regions,
                    fallback=self.guidance is not None and self.guidance.fallback,
                    strength=self.strength,
                )
                stylized.append(quantize(images))

            def give_up(style: StyleWithStatistics, error: Exception) -> None:
                scene.fail_style(style[0], STYLIZE.name, scene.source, error)

            try:
                in_halves(stylize, usable, give_up)
            except PhotoTooSmallError as error:
                unusable = UnreadableImageError(str(scene.source), str(error))
                scene.fail(STYLIZE.name, scene.source, unusable)
        return stylized

    def _regions(self, scene: Scene) -> Tensor | None:
        if self.guidance is None:
            return None
        assert scene.label_map is not None
        return self.guidance.regions(scene.label_map)

    def _usable_styles(self, scene: Scene) -> list[StyleWithStatistics]:
        """The styles of a scene with their statistics; styles without are removed from it."""
        usable: list[StyleWithStatistics] = []
        for style in list(scene.styles):
            assert style.source is not None
            try:
                usable.append((style, self.style_statistics(style.source, style.mask_source)))
            except UnreadableImageError as error:
                scene.fail_style(style, STYLIZE.name, error.uri, error)
            except RuntimeError as error:
                if not is_out_of_memory(error) or is_broken_device(error):
                    raise
                scene.fail_style(style, STYLIZE.name, style.source, error)
        return usable

    def _style_statistics(self, source: str, mask_source: str | None) -> StyleStatistics:
        stored = read_photo_with_extent(source, self.max_pixels, read_image_once)
        photo = limit_longest_side(stored.pixels, self.longest_side)
        regions = None
        if self.guidance is not None:
            assert mask_source is not None
            height, width = photo.shape[:2]
            regions = self.guidance.read_regions(
                mask_source, stored.extent, height, width, self.max_pixels
            )
        try:
            return self.network.encode_style(_in_unit_range(photo, self.device), regions)
        except PhotoTooSmallError as error:
            raise UnreadableImageError(source, str(error)) from error


def _in_unit_range(photo: NDArray[np.uint8], device: str) -> Tensor:
    return upload(photo, device).permute(2, 0, 1) / 255


def _kept_style_bytes(device: str) -> int:
    if torch.device(device).type == "cpu" or not torch.cuda.is_available():
        return KEPT_STYLE_BYTES
    return int(KEPT_STYLE_SHARE * torch.cuda.get_device_properties(device).total_memory)
