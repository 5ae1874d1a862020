"""Label maps to photos."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from spadepis.labels import LabelSpace
from spadepis.pipeline.scene import Scene, scenes_from_table, scenes_to_table
from spadepis.pipeline.stages.quantize import quantize
from spadepis.spade import SpadeGenerator

STAGE = "synthesize"
# On a CPU a batch gains nothing, and one at a time the result does not depend on the neighbours.
BATCH = {"cpu": 1, "cuda": 16}


class Synthesize:
    """Synthesize the content photo of every scene with SPADE.

    Args:
        checkpoint: path or URI of the generator's weights.
        label_space: that the weights were trained for.
        device: "cpu" or "cuda".
    """

    def __init__(self, checkpoint: str, label_space: LabelSpace, device: str) -> None:
        # Parallelism comes from workers.
        torch.set_num_threads(1)
        self.generator = SpadeGenerator.from_checkpoint(checkpoint, label_space, device)
        self.batch = BATCH[device]

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Fill in ``content`` of the scenes that have styles left."""
        scenes = scenes_from_table(batch)
        waiting = [scene for scene in scenes if scene.styles]
        for start in range(0, len(waiting), self.batch):
            self._synthesize(waiting[start : start + self.batch])
        return scenes_to_table(scenes)

    def _synthesize(self, scenes: Sequence[Scene]) -> None:
        start = perf_counter()
        labels = torch.from_numpy(np.stack([_label_map(scene) for scene in scenes]))
        edges = [scene.edges for scene in scenes if scene.edges is not None]
        photos = self.generator(labels, torch.from_numpy(np.stack(edges)) if edges else None)
        for scene, photo in zip(scenes, quantize((photos + 1) / 2), strict=True):
            scene.content = photo
        seconds = perf_counter() - start
        for scene in scenes:
            scene.seconds[STAGE] = seconds / len(scenes)


def _label_map(scene: Scene) -> NDArray[np.uint8]:
    assert scene.label_map is not None
    return scene.label_map
