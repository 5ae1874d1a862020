"""The same quality metrics of many results at once, for GPUs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from time import perf_counter
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.photos import read_photo
from spadepis.dataset.inputs.shards import read_source_once
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import Encoder
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.assess import KEPT_STYLES, LEVEL, SIDE, Photo, Quality, keep_good
from spadepis.pipeline.stages.declarations import ASSESS
from spadepis.pipeline.stages.device_transfer import upload_batch
from spadepis.pipeline.stages.halving import alike, in_halves
from spadepis.quality import batches
from spadepis.quality.look import Look, colour_distance, feature_distance
from spadepis.quality.thresholds import Threshold

# How many metrics are computed on the device; the others compare looks.
OWN_METRICS = 7


class AssessBatches:
    """Compute the quality metrics of results of equal size together.

    They differ from those of ``Assess`` by at most 1e-4 where nothing is resized, 2e-3 in
    ``boundary_disagreement``, and 0.2 % in ``feature_distance``, whose pictures another bicubic
    filter resizes, rounded to 8 bits like the first.

    Args:
        checkpoint: path or URI of PhotoWCT's weights; None if nothing was stylized.
        max_pixels: style photos with more are refused.
        thresholds: thresholds that results have to meet.
        device: device of PyTorch, e.g. "cuda"; on "cpu" ``Assess`` is the form that is used.
    """

    declaration: ClassVar = ASSESS

    def __init__(
        self,
        checkpoint: str | None,
        max_pixels: int,
        thresholds: Sequence[Threshold] = (),
        device: str = "cuda",
    ) -> None:
        self.encoder: Encoder | None = None
        if checkpoint is not None:
            network = PhotoWCT.from_checkpoint(fetch_checkpoint(checkpoint), device)
            self.encoder = network.encoder(LEVEL)
        self.max_pixels = max_pixels
        self.thresholds = thresholds
        self.device = device
        self.style_look = lru_cache(KEPT_STYLES)(self._style_look)

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        """Fill in ``quality`` of the results; rejected results become failures."""
        waiting = [scene for scene in scenes if scene.styles]
        for group in alike(waiting, key=_kind):
            in_halves(
                self._assess,
                group,
                lambda scene, error: scene.fail(ASSESS.name, scene.source, error),
            )
        return scenes

    @torch.no_grad()
    def _assess(self, scenes: Sequence[Scene]) -> None:
        start = perf_counter()
        rows = iter(self._measure(scenes).cpu())
        # Looking at styles may take more memory than there is, and then no scene may be done.
        found = [
            [self._quality_or_error(next(rows), style.source) for style in scene.styles]
            for scene in scenes
        ]
        for scene, qualities in zip(scenes, found, strict=True):
            keep_good(scene, qualities, self.thresholds)
        seconds = (perf_counter() - start) / len(scenes)
        for scene in scenes:
            scene.seconds[ASSESS.name] = scene.seconds.get(ASSESS.name, 0.0) + seconds

    def _measure(self, scenes: Sequence[Scene]) -> Tensor:
        """A row for each result on the device: its metrics, then what its look consists of."""
        contents = upload_batch([_content(scene) for scene in scenes], self.device)
        results = [result for scene in scenes for result in scene.results]
        images = upload_batch(results, self.device) if results else contents
        styles = len(images) // len(scenes)
        planes = batches.luminance(images)
        edges = batches.edge_magnitudes(planes)
        none = planes.new_full((len(images),), torch.nan)
        structure = disagreement = none
        if self.encoder is not None:
            content_edges = batches.edge_magnitudes(batches.luminance(contents))
            structure = batches.edge_similarity(content_edges.repeat_interleave(styles, 0), edges)
        if scenes[0].label_map is not None:
            label_maps = upload_batch(
                [np.asarray(scene.label_map) for scene in scenes], self.device
            )
            repeated = label_maps.repeat_interleave(styles, 0)
            disagreement = batches.boundary_disagreement(repeated, edges)
        metrics = torch.stack(
            [
                structure,
                batches.clipped_share(images),
                batches.sharpness(planes),
                disagreement,
                batches.blockiness(planes),
                batches.stripes(planes),
                batches.frame(images),
            ],
            dim=1,
        )
        if self.encoder is None:
            return metrics
        return torch.cat([metrics, self._statistics(images, self.encoder)], dim=1)

    def _statistics(self, images: Tensor, encoder: Encoder) -> Tensor:
        small = images.permute(0, 3, 1, 2).float()
        if images.shape[1:3] != (SIDE, SIDE):
            small = F.interpolate(small, (SIDE, SIDE), mode="bicubic", antialias=True)
        levels = small.round().clamp(0, 255).byte().permute(0, 2, 3, 1)
        features, _ = encoder.forward_levels(small.round().clamp(0, 255) / 255)
        self.channels = [level.shape[1] for level in features.values()]
        statistics = batches.feature_statistics(list(features.values()))
        return torch.cat([batches.lab_statistics(levels), statistics], dim=1)

    def _quality_or_error(self, row: Tensor, source: str | None) -> Quality | UnreadableImageError:
        try:
            return self._quality(row, source)
        except UnreadableImageError as error:
            return error

    def _quality(self, row: Tensor, source: str | None) -> Quality:
        structure, clipped, sharpness, disagreement, blockiness, stripes, frame = row[
            :OWN_METRICS
        ].tolist()
        to_style: dict[str, float | None] = dict.fromkeys(("feature_distance", "lab_distance"))
        if self.encoder is not None:
            assert source is not None
            look, style = batches.look_of(row[OWN_METRICS:], self.channels), self.style_look(source)
            to_style["feature_distance"] = feature_distance(look.features, style.features)
            to_style["lab_distance"] = colour_distance(look.colours, style.colours)
        metrics = {
            "structure": structure,
            **to_style,
            "clipped": clipped,
            "sharpness": sharpness,
            "boundary_disagreement": disagreement,
            "blockiness": blockiness,
            "stripes": stripes,
            "frame": frame,
        }
        return {
            name: None if value is None or math.isnan(value) else value
            for name, value in metrics.items()
        }

    def _style_look(self, source: str) -> Look:
        assert self.encoder is not None
        photo = read_photo(source, self.max_pixels, read_source_once)
        (row,) = self._statistics(upload_batch([photo], self.device), self.encoder).cpu()
        return batches.look_of(row, self.channels)


def _content(scene: Scene) -> Photo:
    assert scene.content is not None
    return scene.content


def _kind(scene: Scene) -> tuple[object, ...]:
    return (len(scene.results), scene.label_map is None, *_content(scene).shape)
