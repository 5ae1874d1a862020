"""The quality metrics of results, and rejecting results that are not good enough."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.photos import read_photo, resize_photo
from spadepis.dataset.inputs.shards import read_source_once
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import Encoder
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.declarations import ASSESS
from spadepis.pipeline.stages.device_transfer import upload
from spadepis.quality.look import Look, channel_statistics, colour_statistics
from spadepis.quality.metrics import Sample, measure
from spadepis.quality.thresholds import Threshold

# The looks of style and result are compared at this size, whatever their shape.
SIDE = 128
# The encoder of PhotoWCT whose features are compared, at this level and those above it.
LEVEL = 3
KEPT_STYLES = 4096

Photo = NDArray[np.uint8]
Quality = dict[str, float | None]


class Rejected(Exception):  # noqa: N818, its name goes into the commit log
    """A result that does not meet a threshold."""


def find_look(photo: Photo, encoder: Encoder) -> Look:
    """The look of a photo uint8 [H,W,3], at a size that does not depend on its own."""
    small = resize_photo(photo, SIDE, SIDE)
    image = upload(small, "cpu").permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        features, _ = encoder.forward_levels(image)
    levels = [channel_statistics(features[level][0].numpy()) for level in features]
    return Look(colour_statistics(small), levels)


def keep_good(
    scene: Scene, found: Sequence[Quality | UnreadableImageError], thresholds: Sequence[Threshold]
) -> None:
    """Give a scene the metrics of its results, and fail those beyond a threshold.

    Args:
        scene: its results, or its content if nothing was stylized, in the order of its styles.
        found: the metrics of each, or why its style cannot be used.
        thresholds: thresholds that results have to meet.
    """
    assert scene.content is not None
    kept: list[Photo] = []
    pairs = list(zip(scene.styles, scene.results or [scene.content], found, strict=True))
    for style, result, quality in pairs:
        if isinstance(quality, UnreadableImageError):
            scene.fail_style(style, ASSESS.name, style.source, quality)
            continue
        violations = (threshold.violation(quality) for threshold in thresholds)
        reason = ", ".join(filter(None, violations))
        if reason:
            scene.fail_style(style, ASSESS.name, scene.source, Rejected(reason))
            continue
        kept.append(result)
        scene.quality.append(quality)
    scene.results = kept if scene.results else []


class Assess:
    """Compute the quality metrics of every result, and reject results beyond a threshold.

    Args:
        checkpoint: path or URI of PhotoWCT's weights; None if nothing was stylized.
        max_pixels: style photos with more are refused.
        thresholds: thresholds that results have to meet.
    """

    declaration: ClassVar = ASSESS

    def __init__(
        self, checkpoint: str | None, max_pixels: int, thresholds: Sequence[Threshold] = ()
    ) -> None:
        self.encoder: Encoder | None = None
        if checkpoint is not None:
            self.encoder = PhotoWCT.from_checkpoint(fetch_checkpoint(checkpoint)).encoder(LEVEL)
        self.max_pixels = max_pixels
        self.thresholds = thresholds
        self.style_look = lru_cache(KEPT_STYLES)(self._style_look)

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        """Fill in ``quality`` of the results; rejected results become failures."""
        for scene in scenes:
            if scene.styles:
                with scene.timed(ASSESS.name):
                    self._assess(scene)
        return scenes

    def _assess(self, scene: Scene) -> None:
        assert scene.content is not None
        # Without stylization the content itself is the one result.
        pairs = list(zip(scene.styles, scene.results or [scene.content], strict=True))
        found: list[Quality | UnreadableImageError] = []
        for style, result in pairs:
            try:
                found.append(measure(self._sample(scene, style, result)))
            except UnreadableImageError as error:
                found.append(error)
        keep_good(scene, found, self.thresholds)

    def _sample(self, scene: Scene, style: Style, result: Photo) -> Sample:
        if self.encoder is None:
            return Sample(result, scene.label_map)
        assert style.source is not None
        style_look = self.style_look(style.source)
        return Sample(
            result, scene.label_map, scene.content, find_look(result, self.encoder), style_look
        )

    def _style_look(self, source: str) -> Look:
        assert self.encoder is not None
        return find_look(read_photo(source, self.max_pixels, read_source_once), self.encoder)
