"""Smoothing that makes a stylized photo follow the content photo's structure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from spadepis.pipeline.scene import Scene, scenes_from_table, scenes_to_table
from spadepis.pipeline.workers.process import prepare_worker
from spadepis.smoothing import ConvergenceError, smooth

STAGE = "smooth"


class Smooth:
    """Smooth the results of a scene on a CPU; they share the content and so the matrix."""

    def __init__(self) -> None:
        prepare_worker()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Replace ``results`` of the scenes that have styles left."""
        scenes = scenes_from_table(batch)
        for scene in scenes:
            if scene.styles:
                with scene.timed(STAGE):
                    self._smooth(scene)
        return scenes_to_table(scenes)

    def _smooth(self, scene: Scene) -> None:
        assert scene.content is not None
        try:
            smoothed = smooth(scene.content, np.stack(scene.results))
        except ConvergenceError as error:
            scene.fail(STAGE, scene.source, error)
            return
        scene.results = list(np.round(smoothed * 255).astype(np.uint8))
