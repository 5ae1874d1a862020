"""The same smoothing in batches with PyTorch, for GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import ClassVar

import numpy as np

from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import SMOOTH
from spadepis.pipeline.stages.device_transfer import split_batch, upload_batch
from spadepis.pipeline.stages.halving import alike, in_halves
from spadepis.smoothing import ConvergenceError, smooth_batch


class SmoothBatches:
    """Smooth the results of scenes together, where they have the same size and number of styles.

    Args:
        device: device of PyTorch, e.g. "cuda"; on "cpu" ``Smooth`` is faster.
    """

    declaration: ClassVar = SMOOTH

    def __init__(self, device: str) -> None:
        self.device = device

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        """Replace ``results`` of the scenes that have styles left."""
        waiting = [scene for scene in scenes if scene.styles]
        for group in alike(waiting, key=_shape):
            in_halves(
                self._smooth,
                group,
                lambda scene, error: scene.fail(SMOOTH.name, scene.source, error),
                further_errors=(ConvergenceError,),
            )
        return scenes

    def _smooth(self, scenes: Sequence[Scene]) -> None:
        start = perf_counter()
        contents = upload_batch([_content(scene) for scene in scenes], self.device)
        results = [result for scene in scenes for result in scene.results]
        stylized = upload_batch(results, self.device)
        stylized = stylized.view(len(scenes), -1, *stylized.shape[1:])
        levels = smooth_batch(contents, stylized).mul(255).round().byte()
        smoothed = iter(split_batch(levels.flatten(0, 1)))
        seconds = perf_counter() - start
        for scene in scenes:
            scene.results = [next(smoothed) for _ in scene.results]
            scene.seconds[SMOOTH.name] = scene.seconds.get(SMOOTH.name, 0.0) + seconds / len(scenes)


def _shape(scene: Scene) -> tuple[int, ...]:
    return (len(scene.results), *_content(scene).shape)


def _content(scene: Scene) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    assert scene.content is not None
    return scene.content
