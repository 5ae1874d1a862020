"""The look of style photos on content photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.node_cache import read_image_once
from spadepis.dataset.inputs.photos import limit_longest_side, read_photo_with_extent
from spadepis.matching.choice import Matching
from spadepis.photowct import PhotoTooSmallError, PhotoWCT, StyleStatistics
from spadepis.pipeline.scene import Scene, Style, scenes_from_table, scenes_to_table
from spadepis.pipeline.stages.device_transfer import download, quantize, upload
from spadepis.pipeline.stages.region_guidance import RegionGuidance
from spadepis.pipeline.stages.style_cache import StyleCache
from spadepis.pipeline.workers.device_errors import ending_with_the_device, in_halves
from spadepis.pipeline.workers.process import prepare_worker

STAGE = "stylize"
# At the published width the statistics of a style take 1.4 MB, and as much for each region.
KEPT_STYLE_BYTES = 384 << 20
# float16 is the more exact one, but slow on CPUs.
HALF = {"cpu": torch.bfloat16, "cuda": torch.float16}


class Stylize:
    """Stylize the content photo of every scene with each of its styles by PhotoWCT.

    The statistics of a style are computed once and kept. A style photo or label map of one that
    cannot be used fails its own pairs only.

    Args:
        checkpoint: path or URI of the network's weights.
        device: "cpu" or "cuda".
        half: compute in half precision what bears it.
        longest_side: style photos are shrunk to this.
        max_pixels: style photos with more are refused.
        matching: chooses the styles of scenes that have none yet.
        guidance: compares the label maps of contents and styles, where these have any.
        strength: of the styles, 0 to 1.
    """

    def __init__(
        self,
        checkpoint: str,
        device: str,
        half: bool,
        longest_side: int,
        max_pixels: int,
        matching: Matching | None = None,
        guidance: RegionGuidance | None = None,
        strength: float = 1.0,
    ) -> None:
        prepare_worker()
        self.network = PhotoWCT.from_checkpoint(fetch_checkpoint(checkpoint), device)
        if half:
            self.network.reduce_precision(HALF[device])
        self.device = device
        self.longest_side = longest_side
        self.max_pixels = max_pixels
        self.matching = matching
        self.guidance = guidance
        self.strength = strength
        self.style_statistics = StyleCache(self._style_statistics, KEPT_STYLE_BYTES)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Fill in ``results``, not yet smoothed, of the scenes that have styles left."""
        scenes = scenes_from_table(batch)
        with ending_with_the_device():
            for scene in scenes:
                if scene.choices and self.matching is not None:
                    with scene.timed(STAGE):
                        self.matching.choose(scene, self.network)
            # A GPU is still at the first scenes while the last ones are handed to it.
            stylized = [self._stylize(scene) for scene in scenes]
            for scene, parts in zip(scenes, stylized, strict=True):
                with scene.timed(STAGE):
                    scene.results = [result for part in parts for result in download(part)]
        return scenes_to_table(scenes)

    def _stylize(self, scene: Scene) -> list[Tensor]:
        """The results of a scene on the device, uint8 [K,H,W,3] in parts, in the order of styles.

        Styles that fail are taken from the scene.
        """
        stylized: list[Tensor] = []
        with scene.timed(STAGE):
            usable = self._usable_styles(scene)
            if not usable:
                return stylized
            assert scene.content is not None
            content = _in_unit_range(scene.content, self.device)
            regions = None
            if self.guidance is not None:
                assert scene.label_map is not None
                regions = self.guidance.regions(scene.label_map)

            def stylize(styles: Sequence[tuple[Style, StyleStatistics]]) -> None:
                statistics = [each for _, each in styles]
                images = self.network.stylize(
                    content,
                    statistics,
                    regions,
                    fallback=self.guidance is not None and self.guidance.fallback,
                    strength=self.strength,
                )
                stylized.append(quantize(images))

            def give_up(style: tuple[Style, StyleStatistics], error: Exception) -> None:
                scene.fail_style(style[0], STAGE, scene.source, error)

            try:
                in_halves(stylize, usable, give_up)
            except PhotoTooSmallError as error:
                unusable = UnreadableImageError(str(scene.source), str(error))
                scene.fail(STAGE, scene.source, unusable)
        return stylized

    def _usable_styles(self, scene: Scene) -> list[tuple[Style, StyleStatistics]]:
        """The scene's styles with their statistics; those without are taken from the scene."""
        usable: list[tuple[Style, StyleStatistics]] = []
        for style in list(scene.styles):
            assert style.source is not None
            try:
                usable.append((style, self.style_statistics(style.source, style.mask_source)))
            except UnreadableImageError as error:
                scene.fail_style(style, STAGE, error.uri, error)
            except torch.OutOfMemoryError as error:
                scene.fail_style(style, STAGE, style.source, error)
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
