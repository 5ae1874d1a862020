"""Label maps to photos."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.labels import LabelSpace
from spadepis.pipeline.scene import Scene, scenes_from_table, scenes_to_table
from spadepis.pipeline.stages.device_transfer import download, quantize, upload
from spadepis.pipeline.workers.device_errors import ending_with_the_device, in_halves
from spadepis.pipeline.workers.process import prepare_worker
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
        half: compute in bfloat16.
    """

    def __init__(self, checkpoint: str, label_space: LabelSpace, device: str, half: bool) -> None:
        prepare_worker()
        dtype = torch.bfloat16 if half else torch.float32
        self.generator = SpadeGenerator.from_checkpoint(
            fetch_checkpoint(checkpoint), label_space, device, dtype
        )
        self.device = device

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Fill in ``content`` of the scenes that have not failed."""
        scenes = scenes_from_table(batch)
        waiting = [scene for scene in scenes if scene.is_waiting]
        at_once = BATCH[self.device]
        with ending_with_the_device():
            for start in range(0, len(waiting), at_once):
                part = waiting[start : start + at_once]
                in_halves(self._synthesize, part, lambda s, error: s.fail(STAGE, s.source, error))
        return scenes_to_table(scenes)

    def _synthesize(self, scenes: Sequence[Scene]) -> None:
        start = perf_counter()
        labels = torch.from_numpy(np.stack([_label_map(scene) for scene in scenes]))
        edges = [scene.edges for scene in scenes if scene.edges is not None]
        bits = upload(np.stack(edges), self.device) if edges else None
        photos = self.generator(labels, bits)
        for scene, photo in zip(scenes, download(quantize((photos + 1) / 2)), strict=True):
            scene.content = photo
        seconds = perf_counter() - start
        for scene in scenes:
            scene.seconds[STAGE] = seconds / len(scenes)


def _label_map(scene: Scene) -> NDArray[np.uint8]:
    assert scene.label_map is not None
    return scene.label_map
