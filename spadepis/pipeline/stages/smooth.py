"""Smoothing that makes a stylized photo follow the content photo's structure."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import SMOOTH
from spadepis.smoothing import ConvergenceError, smooth


class Smooth:
    """Smooth the results of a scene on a CPU; they share the content and so the matrix."""

    declaration: ClassVar = SMOOTH

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        """Replace ``results`` of the scenes that have styles left."""
        for scene in scenes:
            if scene.styles:
                with scene.timed(SMOOTH.name):
                    self._smooth(scene)
        return scenes

    def _smooth(self, scene: Scene) -> None:
        assert scene.content is not None
        try:
            smoothed = smooth(scene.content, np.stack(scene.results))
        except ConvergenceError as error:
            scene.fail(SMOOTH.name, scene.source, error)
            return
        scene.results = list(np.round(smoothed * 255).astype(np.uint8))
