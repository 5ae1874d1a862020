"""The same smoothing in batches with PyTorch, for GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from spadepis.pipeline.scene import Scene, timed_together
from spadepis.pipeline.stages.declarations import SMOOTH
from spadepis.pipeline.stages.device_transfer import split_batch, upload_batch, upload_contents
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
        for group in alike(waiting, key=lambda scene: (len(scene.results), *scene.size)):
            in_halves(
                self._smooth,
                group,
                lambda scene, error: scene.fail(SMOOTH.name, scene.source, error),
                further_errors=(ConvergenceError,),
            )
        return scenes

    def _smooth(self, scenes: Sequence[Scene]) -> None:
        with timed_together(SMOOTH.name, scenes):
            contents = upload_contents(scenes, self.device)
            results = [result for scene in scenes for result in scene.results]
            stylized = upload_batch(results, self.device)
            stylized = stylized.view(len(scenes), -1, *stylized.shape[1:])
            levels = smooth_batch(contents, stylized).mul(255).round().byte()
            smoothed = iter(split_batch(levels.flatten(0, 1)))
        for scene in scenes:
            scene.results = [next(smoothed) for _ in scene.results]
