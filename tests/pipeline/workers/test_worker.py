"""A worker sets its process up, hosts stages in turn, and ends with its device."""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import UnidentifiedImageError

from spadepis.labels import COCO_STUFF
from spadepis.pipeline.repeated_errors import RepeatedError
from spadepis.pipeline.scene import Failure, Scene, Style
from spadepis.pipeline.stages.assess import Assess
from spadepis.pipeline.stages.declarations import WRITE, Declaration
from spadepis.pipeline.stages.smooth import Smooth
from spadepis.pipeline.stages.smooth_batches import SmoothBatches
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.stages.stylize import Stylize
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.pipeline.workers.worker import BROKEN_DEVICE, Worker, call, make


class Append:
    """Adds a letter to the sources of label maps."""

    declaration: ClassVar = Declaration("append")

    def __init__(self, letter: str) -> None:
        self.letter = letter

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        for scene in scenes:
            scene.mask_source = (scene.mask_source or "") + self.letter
        return scenes


class Fail:
    """A stage with an error."""

    declaration: ClassVar = Declaration("fail")

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        raise self.error


class FailToWrite(Fail):
    """The stage that writes, with an error."""

    declaration: ClassVar = WRITE


class Count:
    """A pass over inputs: the number of styles."""

    declaration: ClassVar = Declaration("count", returns=int)

    def __call__(self, scenes: list[Scene]) -> list[int]:
        if any(scene.id == "bad" and scene.styles for scene in scenes):
            raise ValueError("bad")
        return [len(scene.styles) for scene in scenes]


@pytest.mark.usefixtures("process_settings")
def test_stages_follow_one_another_on_one_thread() -> None:
    torch.set_num_threads(2)
    worker = Worker([StageSpec(Append, {"letter": letter}) for letter in "bc"])
    assert torch.get_num_threads() == 1
    (scene,) = worker([Scene("a", [], mask_source="a")])
    assert scene.mask_source == "abc"


@pytest.fixture
def _exits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would end the process raises SystemExit."""

    def end(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", end)


BROKEN = [
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"),
]


@pytest.mark.usefixtures("_exits")
@pytest.mark.parametrize("error", BROKEN, ids=str)
def test_a_broken_device_ends_the_process(error: Exception) -> None:
    with pytest.raises(SystemExit, match=str(BROKEN_DEVICE)):
        call(Fail(error), [Scene("a", [GOOD])])
    with pytest.raises(SystemExit, match=str(BROKEN_DEVICE)):
        make(StageSpec(Unmade, {"error": error}))


@pytest.mark.usefixtures("_exits")
def test_too_little_memory_in_a_part_of_a_stage_divides_the_batch() -> None:
    error = torch.AcceleratorError("CUDA error: out of memory")
    scenes = [Scene("a", [GOOD]), Scene("bad", [GOOD, ALSO_GOOD]), Scene("b", [GOOD, BAD])]
    called = call(FailSome(error), scenes)
    assert outcomes(called) == {
        "a": (["good"], []),
        "bad": ([], ["good", "also good"]),
        "b": (["good"], ["bad"]),
    }
    assert called[2].failures[0].message == "CUDA error: out of memory"


def test_networks_without_room_on_the_device_are_told_in_a_line() -> None:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n2 GiB")
    with pytest.raises(RepeatedError, match=r"^unmade: a worker cannot start, .*--precision half"):
        make(StageSpec(Unmade, {"error": error}))
    with pytest.raises(RuntimeError, match="^shapes$"):
        make(StageSpec(Unmade, {"error": RuntimeError("shapes")}))


class Unmade:
    """A stage that cannot be made."""

    declaration: ClassVar = Declaration("unmade")

    def __init__(self, error: Exception) -> None:
        raise error

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        return scenes


class FailSome:
    """Has results for all pairs but those whose scene or style is named bad."""

    declaration: ClassVar = Declaration("fail some")

    def __init__(self, error: BaseException = ValueError("a\nlong\nstory\n")) -> None:  # noqa: B008
        self.error = error

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        for scene in scenes:
            if "bad" in [scene.id, *(style.id for style in scene.styles)] and scene.styles:
                raise self.error
            scene.results = [PHOTO for _ in scene.styles]
        return scenes


PHOTO = np.zeros((2, 2, 3), np.uint8)
GOOD, ALSO_GOOD, BAD = (Style(id, f"{id}.png") for id in ("good", "also good", "bad"))
EARLIER = Failure(Style("old", None), "read", None, "OSError", "gone")


def outcomes(scenes: Sequence[Scene]) -> dict[str, tuple[list[str | None], list[str | None]]]:
    """Ids of the styles that each scene has results for, and of those that failed."""
    assert all(len(scene.results) == len(scene.styles) for scene in scenes)
    return {
        scene.id: (
            [style.id for style in scene.styles],
            [failure.style.id for failure in scene.failures],
        )
        for scene in scenes
    }


def test_only_the_culprit_of_an_error_fails() -> None:
    scenes = [
        Scene("a", [GOOD, ALSO_GOOD], seconds={"read": 1.0}),
        Scene("bad", [GOOD, ALSO_GOOD], "bad.png"),
        Scene("b", [GOOD, BAD, ALSO_GOOD], failures=[EARLIER], seconds={"read": 1.0}),
    ]
    called = call(FailSome(), scenes)
    assert outcomes(called) == {
        "a": (["good", "also good"], []),
        "bad": ([], ["good", "also good"]),
        "b": (["good", "also good"], ["old", "bad"]),
    }
    first, *_ = called[1].failures
    assert first == Failure(GOOD, "fail some", "bad.png", "ValueError", "story", unexpected=True)
    assert called[2].seconds == {"read": 1.0}


def test_a_scene_whose_styles_are_not_chosen_fails_once() -> None:
    batch = [Scene("a", [], choices=3), Scene("b", [GOOD])]
    choosing = call(Fail(ValueError("mine")), batch)
    first, second = choosing
    assert (first.choices, len(first.failures), len(second.failures)) == (0, 1, 1)


def test_what_cannot_be_written_is_no_fault_of_a_scene() -> None:
    with pytest.raises(OSError, match="disk full"):
        call(FailToWrite(OSError("disk full")), [Scene("a", [GOOD])])


@pytest.mark.parametrize(
    "error", [UnidentifiedImageError("of a library"), FileNotFoundError(2, "gone"), SystemExit(0)]
)
def test_no_error_of_a_scene_in_another_stage_ends_the_job(error: BaseException) -> None:
    """Libraries raise errors of files, too, such as Pillow, and call for the end of the process."""
    good, bad = call(FailSome(error), [Scene("a", [GOOD]), Scene("bad", [GOOD])])
    assert good.styles and not bad.styles and bad.failures[0].unexpected


def test_no_scene_is_lost_in_a_stage() -> None:
    class Drop:
        declaration: ClassVar = Declaration("drop")

        def __call__(self, scenes: list[Scene]) -> list[Scene]:
            return [scene for scene in scenes if scene.id != "bad"]

    good, bad = call(Drop(), [Scene("a", [GOOD]), Scene("bad", [GOOD])])
    assert good.styles and not bad.styles
    assert bad.failures[0].message == "it returned other scenes than it was given"


def test_an_error_without_a_message_is_told_by_its_type() -> None:
    (failed,) = call(Fail(MemoryError()), [Scene("a", [GOOD])])
    assert failed.failures[0].message == "MemoryError"


def test_a_pass_over_inputs_goes_on_without_what_fails() -> None:
    assert call(Count(), [Scene("a", [GOOD]), Scene("bad", [GOOD])]) == [1, 0]


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
        (scene,) = Synthesize(spade_checkpoint, COCO_STUFF, "cpu", half=False)([scene])
        assert scene.content is not None
        scene.results = [scene.content]
        for stage in (Smooth(), SmoothBatches("cpu"), Assess(None, 10**6)):
            (scene,) = stage([scene])
        Stylize(photowct_checkpoint, "cpu", half=False, longest_side=64, max_pixels=10**6)
        assert settings() == before
    finally:
        torch.set_num_threads(threads)
    assert told == []
