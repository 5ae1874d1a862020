"""The look of style photos on content photos."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.dataset.images import UnreadableImageError, limit_longest_side, read_photo
from spadepis.photowct import PhotoWCT, StyleStatistics
from spadepis.pipeline.scene import Scene, scenes_from_table, scenes_to_table
from spadepis.pipeline.stages.quantize import quantize

STAGE = "stylize"
# At the published width the statistics of a style take 1.4 MB.
KEPT_STYLES = 256


class Stylize:
    """Stylize the content photo of every scene with each of its styles by PhotoWCT.

    The statistics of a style are computed once and kept. A style photo that cannot be used fails
    its own pairs only.

    Args:
        checkpoint: path or URI of the network's weights.
        device: "cpu" or "cuda".
        longest_side: style photos are shrunk to this.
        max_pixels: style photos with more are refused.
    """

    def __init__(self, checkpoint: str, device: str, longest_side: int, max_pixels: int) -> None:
        # Parallelism comes from workers.
        torch.set_num_threads(1)
        self.network = PhotoWCT.from_checkpoint(checkpoint, device)
        self.longest_side = longest_side
        self.max_pixels = max_pixels
        self.style_statistics = lru_cache(KEPT_STYLES)(self._style_statistics)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Fill in ``results``, not yet smoothed, of the scenes that have styles left."""
        scenes = scenes_from_table(batch)
        for scene in scenes:
            with scene.timed(STAGE):
                self._stylize(scene)
        return scenes_to_table(scenes)

    def _stylize(self, scene: Scene) -> None:
        statistics: list[StyleStatistics] = []
        for style in list(scene.styles):
            assert style.source is not None
            try:
                statistics.append(self.style_statistics(style.source))
            except UnreadableImageError as error:
                scene.fail_style(style, STAGE, style.source, error)
        if not scene.styles:
            return
        assert scene.content is not None
        try:
            stylized = self.network.stylize(_to_tensor(scene.content), statistics)
        except ValueError as error:
            scene.fail(STAGE, scene.source, UnreadableImageError(str(scene.source), str(error)))
            return
        scene.results = list(quantize(stylized))

    def _style_statistics(self, source: str) -> StyleStatistics:
        photo = limit_longest_side(read_photo(source, self.max_pixels), self.longest_side)
        try:
            return self.network.encode_style(_to_tensor(photo))
        except ValueError as error:
            raise UnreadableImageError(source, str(error)) from error


def _to_tensor(photo: NDArray[np.uint8]) -> Tensor:
    return torch.tensor(photo).permute(2, 0, 1) / 255
