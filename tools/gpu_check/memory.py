"""A stage on a GPU with too little memory for a batch: it does the batch in parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from spadepis.checkpoints.defaults import DEFAULT_SPADE_CHECKPOINT
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.synthesize import Synthesize
from tools.gpu_check.config import GpuCheckConfig
from tools.gpu_check.facts import Fact

SCENES, SIZE = 16, 256
REDUCED_SCENES, REDUCED_SIZE = 2, 32
# Enough for a few photos of the small network that comes with spadepis, not for all of them.
SPARE_BYTES = 500e6


def check_memory(config: GpuCheckConfig) -> Iterator[Fact]:
    """Synthesize a batch with little memory, which takes more than one pass, and all of it."""
    count, size = (REDUCED_SCENES, REDUCED_SIZE) if config.is_reduced else (SCENES, SIZE)
    checkpoint = DEFAULT_SPADE_CHECKPOINT
    stage = Synthesize(checkpoint, COCO_STUFF, config.device, half=False)
    passes = 0

    def count_pass(*_: object) -> None:
        nonlocal passes
        passes += 1

    stage.generator.register_forward_hook(count_pass)
    classes = np.random.default_rng(0).integers(0, 182, (count, size, size), dtype=np.uint8)
    scenes = [
        Scene(str(number), [Style(None, None)], label_map=labels, edges=labels > 90)
        for number, labels in enumerate(classes)
    ]
    with _little_memory(config.device):
        done = stage(scenes)
    missing = sum(scene.content is None for scene in done)
    yield Fact(
        f"{count} photos of {size}x{size} with little memory: missing photos",
        float(missing),
        limit=0,
        details={"passes": passes},
    )
    if config.device == "cuda":
        yield Fact("with little memory: batches done in one pass", float(passes == 1), limit=0)


@contextmanager
def _little_memory(device: str) -> Iterator[None]:
    """Let PyTorch take little more of a GPU than it has already."""
    if device == "cpu":
        yield
        return
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(
        (torch.cuda.memory_allocated() + SPARE_BYTES) / total
    )
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
