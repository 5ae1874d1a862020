"""The same quality metrics of many results at once, for GPUs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
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
from spadepis.pipeline.scene import Scene, timed_together
from spadepis.pipeline.stages.assess import KEPT_STYLES, LEVEL, SIDE, Quality, keep_good
from spadepis.pipeline.stages.declarations import ASSESS
from spadepis.pipeline.stages.device_transfer import upload_batch, upload_contents
from spadepis.pipeline.stages.halving import alike, in_halves
from spadepis.quality import batches
from spadepis.quality.look import Look, colour_distance, feature_distance
from spadepis.quality.metrics import METRICS
from spadepis.quality.thresholds import Threshold


class AssessBatches:
    """Compute the quality metrics of results of equal size together.

    They differ from those of ``Assess`` by at most 1e-4 where nothing is resized, 2e-3 in
    ``boundary_disagreement``, and 0.2 % in ``feature_distance``, whose pictures another bicubic
    filter resizes, rounded to 8 bits like the first. On "cpu" ``Assess`` is the form that is used.
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

        def kind(scene: Scene) -> tuple[object, ...]:
            return (len(scene.results), scene.label_map is None, *scene.size)

        for group in alike(waiting, kind):
            in_halves(
                self._assess,
                group,
                lambda scene, error: scene.fail(ASSESS.name, scene.source, error),
            )
        return scenes

    @torch.no_grad()
    def _assess(self, scenes: Sequence[Scene]) -> None:
        with timed_together(ASSESS.name, scenes):
            names, measured = self._measure(scenes)
            rows = iter(measured.cpu())
            # Looking at styles may take more memory than there is, and then no scene may be done.
            found = [
                [self._quality_or_error(names, next(rows), style.source) for style in scene.styles]
                for scene in scenes
            ]
            for scene, qualities in zip(scenes, found, strict=True):
                keep_good(scene, qualities, self.thresholds)

    def _measure(self, scenes: Sequence[Scene]) -> tuple[Sequence[str], Tensor]:
        """Names of metrics and, on the device, a row of their values for each result.

        What the look of the result consists of follows them, if looks are compared.
        """
        contents = upload_contents(scenes, self.device)
        results = [result for scene in scenes for result in scene.results]
        images = upload_batch(results, self.device) if results else contents
        styles = len(images) // len(scenes)
        planes = batches.luminance(images)
        edges = batches.edge_magnitudes(planes)
        metrics = {
            "clipped": batches.clipped_share(images),
            "sharpness": batches.sharpness(planes),
            "blockiness": batches.blockiness(planes),
            "stripes": batches.stripes(planes),
            "frame": batches.frame(images),
        }
        if scenes[0].label_map is not None:
            label_maps = upload_batch(
                [np.asarray(scene.label_map) for scene in scenes], self.device
            )
            repeated = label_maps.repeat_interleave(styles, 0)
            metrics["boundary_disagreement"] = batches.boundary_disagreement(repeated, edges)
        looks = []
        if self.encoder is not None:
            content_edges = batches.edge_magnitudes(batches.luminance(contents))
            content_edges = content_edges.repeat_interleave(styles, 0)
            metrics["structure"] = batches.edge_similarity(content_edges, edges)
            looks = [self._statistics(images, self.encoder)]
        return list(metrics), torch.cat([torch.stack(list(metrics.values()), dim=1), *looks], dim=1)

    def _statistics(self, images: Tensor, encoder: Encoder) -> Tensor:
        small = images.permute(0, 3, 1, 2).float()
        if images.shape[1:3] != (SIDE, SIDE):
            small = F.interpolate(small, (SIDE, SIDE), mode="bicubic", antialias=True)
        levels = small.round().clamp(0, 255).byte().permute(0, 2, 3, 1)
        features, _ = encoder.forward_levels(small.round().clamp(0, 255) / 255)
        self.channels = [level.shape[1] for level in features.values()]
        statistics = batches.feature_statistics(list(features.values()))
        return torch.cat([batches.lab_statistics(levels), statistics], dim=1)

    def _quality_or_error(
        self, names: Sequence[str], row: Tensor, source: str | None
    ) -> Quality | UnreadableImageError:
        metrics = dict(zip(names, row[: len(names)].tolist(), strict=True))
        if self.encoder is not None:
            assert source is not None
            try:
                style = self.style_look(source)
            except UnreadableImageError as error:
                return error
            look = batches.look_of(row[len(names) :], self.channels)
            metrics["feature_distance"] = feature_distance(look.features, style.features)
            metrics["lab_distance"] = colour_distance(look.colours, style.colours)
        known = {name: value for name, value in metrics.items() if not math.isnan(value)}
        return {name: known.get(name) for name in METRICS}

    def _style_look(self, source: str) -> Look:
        assert self.encoder is not None
        photo = read_photo(source, self.max_pixels, read_source_once)
        (row,) = self._statistics(upload_batch([photo], self.device), self.encoder).cpu()
        return batches.look_of(row, self.channels)
