"""Poisons the stages of every process that has this folder in its PYTHONPATH.

A scene or style whose id begins with that of a stage and one of ``EFFECTS``, with hyphens between,
has that effect in that stage, such as ``smooth-segfault`` or ``smooth-segfault-2``.
"""

import ctypes
import importlib.abc
import importlib.util
import multiprocessing
import os
import signal
import sys
from importlib.machinery import ModuleSpec
from itertools import repeat
from typing import Any


def raise_error() -> None:
    raise LookupError("some\nstory of a\npoisoned scene")


def segfault() -> None:
    ctypes.string_at(0)


def be_killed() -> None:
    """What happens to a process that uses up the memory of its machine."""
    os.kill(os.getpid(), signal.SIGKILL)


def break_device() -> None:
    import torch

    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


def hang() -> None:
    """Without ever giving the interpreter to another thread."""
    all(repeat(True))


def kill_watcher() -> None:
    """What Ray does on a machine without memory: it kills actors, not their children."""
    watcher = multiprocessing.parent_process()
    os.kill(os.getpid() if watcher is None else watcher.pid, signal.SIGKILL)  # type: ignore[arg-type]
    while True:
        signal.pause()


EFFECTS = {
    "raise": raise_error,
    "segfault": segfault,
    "oom": be_killed,
    "device": break_device,
    "hang": hang,
    "watcher": kill_watcher,
}


class Poisoned:
    """A stage that some scenes and styles do no good."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.declaration = stage.declaration

    def __call__(self, items: Any) -> Any:
        for item in items:
            # Files have none.
            styles = [style.id for style in getattr(item, "styles", [])]
            for id in [item.id, *styles] if styles else []:
                stage, *effect = (id or "").split("-")
                if stage == self.declaration.name:
                    EFFECTS[effect[0]]()
        return self.stage(items)


class Poisoner(importlib.abc.MetaPathFinder):
    """Waits until the module is imported that makes stages."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != "spadepis.pipeline.stages.stage":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        assert spec is not None and spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_poison(module: Any) -> None:
            execute(module)
            make = module.StageSpec.make
            module.StageSpec.make = lambda self: Poisoned(make(self))

        spec.loader.exec_module = execute_and_poison  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Poisoner())
