"""The look of style photos on content photos."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.matching.matching import Matching
from spadepis.photowct import PhotoTooSmallError, PhotoWCT, StyleStatistics
from spadepis.photowct.photowct import PIXELS_AT_ONCE
from spadepis.pipeline.device_errors import is_broken_device, is_out_of_memory
from spadepis.pipeline.scene import Scene, Style, timed_together
from spadepis.pipeline.stages.declarations import STYLIZE
from spadepis.pipeline.stages.device_transfer import (
    are_finite,
    on_host,
    quantize,
    split_finite,
    upload_contents,
)
from spadepis.pipeline.stages.halving import alike, in_halves
from spadepis.pipeline.stages.kept_styles import KeptStyles
from spadepis.pipeline.stages.region_guidance import RegionGuidance

log = logging.getLogger(__name__)


class Pair(NamedTuple):
    """A scene, and a style of it whose statistics are known."""

    scene: Scene
    style: Style
    statistics: StyleStatistics


class Stylized(NamedTuple):
    """Pairs and their results uint8 [n,H,W,3] on the device, and which are finite, bool [n]."""

    pairs: Sequence[Pair]
    levels: Tensor
    finite: Tensor


def half_precision(device: str) -> torch.dtype:
    """The type of half precision for PhotoWCT: float16 is more exact, but slow on CPUs."""
    return torch.bfloat16 if torch.device(device).type == "cpu" else torch.float16


class Stylize:
    """Stylize the content photo of every scene with each of its styles by PhotoWCT.

    The statistics of a style are computed once and kept. A style photo that cannot be used, or
    whose label map cannot be used, fails its own pairs only. On a GPU, scenes of equal size and
    number of styles are stylized together.

    Args:
        checkpoint: path or URI of the network's weights.
        device: device of PyTorch, "cpu" or e.g. "cuda:0".
        half: whether to compute in half precision where the network bears it: on a GPU in float16,
            and what overflows is computed again in float32; on a CPU in bfloat16.
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
        self.checkpoint = fetch_checkpoint(checkpoint)
        self.half = half
        self.network = PhotoWCT.from_checkpoint(self.checkpoint, device)
        if half:
            self.network.reduce_precision(half_precision(device))
        self.on_cpu = torch.device(device).type == "cpu"
        self.device = device
        self.matching = matching
        self.styles = styles or {}
        self.guidance = guidance
        self.strength = strength
        self.kept_styles = KeptStyles(self.network, device, longest_side, max_pixels, guidance)

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        """Fill in ``results``, not yet smoothed, of the scenes that have styles left."""
        for scene in scenes:
            if scene.choices and self.matching is not None:
                with scene.timed(STYLIZE.name):
                    self._choose_styles(scene, self.matching)
        if not self.on_cpu:
            self.kept_styles.compute_together([s for scene in scenes for s in scene.styles])
        pairs = [pair for scene in scenes for pair in self._pairs(scene)]
        # A GPU still works on the first scenes while the last ones are handed to it.
        stylized: list[Stylized] = []
        for group in alike(pairs, key=self._kind):
            stylized += self._stylize(group)
        for part in stylized:
            self._finish(part)
        return scenes

    def _choose_styles(self, scene: Scene, matching: Matching) -> None:
        chosen = matching.choose(
            scene.choices,
            label_map=scene.label_map,
            content=None if scene.content is None else on_host(scene.content),
            network=self.network if self.on_cpu else self.exact_network,
            without=scene.passed_over,
        )
        scene.styles = [self.styles[id] for id in chosen]
        scene.choices = 0

    def _kind(self, pair: Pair) -> tuple[Any, ...]:
        """What pairs that are stylized together have in common; on a CPU that is their scene."""
        scene = pair.scene
        return (id(scene),) if self.on_cpu else (*scene.size, len(scene.styles))

    def _stylize(self, pairs: Sequence[Pair]) -> list[Stylized]:
        """The results of pairs alike, in parts; a pair that fails is removed from its scene."""
        stylized: list[Stylized] = []

        def work(some: Sequence[Pair]) -> None:
            with timed_together(STYLIZE.name, [pair.scene for pair in some]):
                stylized.append(self._results(self.network, some))

        height, width = pairs[0].scene.size
        # Beyond this, more at once only take more memory.
        scenes_at_once = max(1, PIXELS_AT_ONCE // (height * width * len(pairs[0].scene.styles)))
        by_scene = [list(own) for _, own in groupby(pairs, key=_scene_of)]
        for first in range(0, len(by_scene), scenes_at_once):
            chosen = [pair for own in by_scene[first : first + scenes_at_once] for pair in own]
            try:
                in_halves(work, chosen, _give_up)
            except PhotoTooSmallError as error:
                for scene in {id(pair.scene): pair.scene for pair in chosen}.values():
                    unusable = UnreadableImageError(str(scene.source), str(error))
                    scene.fail(STYLIZE.name, scene.source, unusable)
        return stylized

    def _results(self, network: PhotoWCT, pairs: Sequence[Pair]) -> Stylized:
        """Stylize pairs of equal size; those of a scene follow each other."""
        by_scene = [list(own) for _, own in groupby(pairs, key=_scene_of)]
        # After halving, scenes may have different numbers of styles.
        images = [self._images(network, list(some)) for _, some in groupby(by_scene, key=len)]
        together = torch.cat(images)
        return Stylized(pairs, quantize(together), are_finite(together))

    def _images(self, network: PhotoWCT, by_scene: Sequence[Sequence[Pair]]) -> Tensor:
        """Results [N*K,3,H,W] of N scenes with K pairs each."""
        scenes = [own[0].scene for own in by_scene]
        contents = upload_contents(scenes, self.device).permute(0, 3, 1, 2) / 255
        styles = [[pair.statistics for pair in own] for own in by_scene]
        maps = self._regions(scenes)
        fallback = self.guidance is not None and self.guidance.fallback
        if self.on_cpu:
            regions = [None] * len(scenes) if maps is None else maps
            return torch.cat(
                [
                    network.stylize(
                        content, own, own_map, fallback=fallback, strength=self.strength
                    )
                    for content, own, own_map in zip(contents, styles, regions, strict=True)
                ]
            )
        stylized = network.stylize_batch(
            contents, styles, maps, fallback=fallback, strength=self.strength
        )
        return stylized.flatten(0, 1)

    def _finish(self, stylized: Stylized) -> None:
        """Give scenes their results, and compute in float32 what is not finite in less."""
        with timed_together(STYLIZE.name, [pair.scene for pair in stylized.pairs]):
            levels = split_finite(stylized.levels, stylized.finite)
            for pair, result in zip(stylized.pairs, levels, strict=True):
                if result is None and self.half:
                    log.info(
                        "%s: overflows in half precision and is done in float32", pair.scene.id
                    )
                    result = self._exact_result(pair)
                if result is not None:
                    pair.scene.results.append(result)
                elif pair.style in pair.scene.styles:
                    error = FloatingPointError("PhotoWCT's values overflow, also in float32")
                    _give_up(pair, error)

    def _exact_result(self, pair: Pair) -> NDArray[np.uint8] | None:
        """The result of a pair in float32; without one, or without memory, None."""
        parts: list[Stylized] = []

        def work(pairs: Sequence[Pair]) -> None:
            (one,) = pairs
            statistics = self.kept_styles.compute(one.style, self.exact_network)
            exact = one._replace(statistics=statistics)
            parts.append(self._results(self.exact_network, [exact]))

        in_halves(work, [pair], _give_up)
        return split_finite(parts[0].levels, parts[0].finite)[0] if parts else None

    @cached_property
    def exact_network(self) -> PhotoWCT:
        """The network in float32."""
        if not self.half:
            return self.network
        return PhotoWCT.from_checkpoint(self.checkpoint, self.device)

    def _regions(self, scenes: Sequence[Scene]) -> Tensor | None:
        """Region maps [N,H,W], if regions guide the transfer."""
        if self.guidance is None:
            return None
        maps = []
        for scene in scenes:
            assert scene.label_map is not None
            maps.append(self.guidance.regions(scene.label_map))
        return torch.stack(maps)

    def _pairs(self, scene: Scene) -> list[Pair]:
        """The styles of a scene with their statistics; styles without are removed from it."""
        pairs: list[Pair] = []
        with scene.timed(STYLIZE.name):
            for style in list(scene.styles):
                try:
                    statistics = self.kept_styles.find(style)
                except UnreadableImageError as error:
                    scene.fail_style(style, STYLIZE.name, error.uri, error)
                except RuntimeError as error:
                    if not is_out_of_memory(error) or is_broken_device(error):
                        raise
                    scene.fail_style(style, STYLIZE.name, style.source, error)
                else:
                    pairs.append(Pair(scene, style, statistics))
        return pairs


def _give_up(pair: Pair, error: Exception) -> None:
    pair.scene.fail_style(pair.style, STYLIZE.name, pair.scene.source, error)


def _scene_of(pair: Pair) -> int:
    """What tells scenes apart: outside a job two may have the same id."""
    return id(pair.scene)
