"""Scenes are tried one by one in a process that may die, and those that kill it fail."""

import os
import signal
from typing import ClassVar

import pytest
import torch

from spadepis.pipeline.repeated_errors import RepeatedError
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.declarations import WRITE, Declaration
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.workers.attempts import Attempts
from spadepis.pipeline.workers.isolation import Isolation


class Deadly:
    """Dies of styles with a deadly id."""

    declaration: ClassVar = Declaration("deadly")

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        for scene in scenes:
            for style in scene.styles:
                if style.id == "deadly":
                    os.kill(os.getpid(), signal.SIGSEGV)
        return scenes


class Full:
    """Cannot write."""

    declaration: ClassVar = WRITE

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        raise OSError(28, "No space left on device")


class Unborn:
    """Dies when it is made."""

    declaration: ClassVar = Declaration("unborn")

    def __init__(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        return scenes


class Large:
    """Does not fit onto a GPU."""

    declaration: ClassVar = Declaration("large")

    def __init__(self) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        return scenes


def scene(id: str, *styles: str) -> Scene:
    return Scene(id, [Style(style, None) for style in styles])


def test_only_a_deadly_style_fails_and_is_soon_known() -> None:
    attempts = Attempts()
    isolation = Isolation(StageSpec(Deadly), 60.0, attempts)
    scenes = [scene(id, "good", "deadly") for id in "abc"]
    done = isolation([*scenes, scene("d", "good")])
    for each in done[:3]:
        assert [style.id for style in each.styles] == ["good"]
        (failure,) = each.failures
        assert (failure.stage, failure.error) == ("deadly", "WorkerDied")
        assert failure.message == "its worker died 3 times (signal 11)" and failure.unexpected
    assert done[3] == scene("d", "good")
    # Nobody had to die for the third scene.
    assert len(attempts.take_news()) == 6
    isolation.close()


def test_a_full_disk_is_raised_here() -> None:
    isolation = Isolation(StageSpec(Full), 60.0, Attempts())
    with pytest.raises(OSError, match="No space left"):
        isolation([scene("a", "good")])
    isolation.close()


def test_a_machine_without_memory_for_any_scene() -> None:
    isolation = Isolation(StageSpec(Unborn), 60.0, Attempts())
    with pytest.raises(RepeatedError, match=r"without any scene died 3 times \(signal 9\)"):
        isolation([scene("a", "good")])


def test_a_stage_of_a_script_is_isolated_too() -> None:
    """Pickle would send only the name of such a class, and the other process has other scripts."""

    class Own:
        declaration: ClassVar = Declaration("own")

        def __call__(self, scenes: list[Scene]) -> list[Scene]:
            return scenes

    isolation = Isolation(StageSpec(Own), 60.0, Attempts())
    assert isolation([scene("a", "style")]) == [scene("a", "style")]
    isolation.close()


def test_a_gpu_without_memory_for_the_networks() -> None:
    isolation = Isolation(StageSpec(Large), 60.0, Attempts())
    with pytest.raises(RepeatedError, match="^large: a worker cannot start, "):
        isolation([scene("a", "good")])
