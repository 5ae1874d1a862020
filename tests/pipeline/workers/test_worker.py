"""A worker sets its process up, hosts stages in turn, and ends with its device."""

import ctypes
import os
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
import torch

from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style, scenes_from_table, scenes_to_table
from spadepis.pipeline.stages.assess import Assess
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.stages.smooth import Smooth
from spadepis.pipeline.stages.smooth_batches import SmoothBatches
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.stages.stylize import Stylize
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.pipeline.workers.worker import BROKEN_DEVICE, Worker, call


class Append:
    """Adds a letter to the ids of scenes."""

    declaration: ClassVar = Declaration("append")

    def __init__(self, letter: str) -> None:
        self.letter = letter

    def __call__(self, batch: pa.Table) -> pa.Table:
        scenes = scenes_from_table(batch)
        for scene in scenes:
            scene.id += self.letter
        return scenes_to_table(scenes)


class Fail:
    """A stage with an error."""

    declaration: ClassVar = Declaration("fail")

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, batch: pa.Table) -> pa.Table:
        raise self.error


@pytest.mark.usefixtures("process_settings")
def test_stages_follow_one_another_on_one_thread() -> None:
    torch.set_num_threads(2)
    worker = Worker([StageSpec(Append, {"letter": letter}) for letter in "bc"])
    assert torch.get_num_threads() == 1
    (scene,) = scenes_from_table(worker(scenes_to_table([Scene("a", [])])))
    assert scene.id == "abc"


def test_a_broken_device_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    batch = scenes_to_table([])
    call(Fail(torch.AcceleratorError("CUDA error: an illegal memory access")), batch)
    assert ended == [BROKEN_DEVICE]
    with pytest.raises(ValueError, match="mine"):
        call(Fail(ValueError("mine")), batch)
    assert ended == [BROKEN_DEVICE]


def test_stages_change_nothing_of_their_process(
    spade_checkpoint: str,
    photowct_checkpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[object] = []
    monkeypatch.setattr(ctypes, "CDLL", told.append)

    def settings() -> tuple[object, ...]:
        return (
            torch.get_num_threads(),
            torch.get_num_interop_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.backends.cudnn.allow_tf32,
            torch.backends.cuda.matmul.allow_tf32,
            dict(os.environ),
        )

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        before = settings()
        scene = Scene("a", [Style(None, None)], label_map=np.zeros((32, 32), np.uint8))
        (scene,) = scenes_from_table(
            Synthesize(spade_checkpoint, COCO_STUFF, "cpu", half=False)(scenes_to_table([scene]))
        )
        assert scene.content is not None
        scene.results = [scene.content]
        batch = scenes_to_table([scene])
        for stage in (Smooth(), SmoothBatches("cpu"), Assess(None, 10**6)):
            batch = stage(batch)
        Stylize(photowct_checkpoint, "cpu", half=False, longest_side=64, max_pixels=10**6)
        assert settings() == before
    finally:
        torch.set_num_threads(threads)
    assert told == []
