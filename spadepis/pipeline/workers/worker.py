"""A worker: a process of its own for one stage, or for several consecutive ones on a device."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from threading import Lock
from time import perf_counter
from typing import Any, Protocol

import torch

from spadepis.pipeline.device_errors import is_broken_device, is_out_of_memory
from spadepis.pipeline.repeated_errors import RepeatedError
from spadepis.pipeline.scene import Scene, join_styles
from spadepis.pipeline.stages.declarations import WRITE
from spadepis.pipeline.stages.device_transfer import start_download
from spadepis.pipeline.stages.stage import Stage, StageSpec
from spadepis.pipeline.workers.process import ended_after, prepare_process

log = logging.getLogger(__name__)

# As shells report it: 128 + SIGABRT, which is what CUDA's own assertions end with.
BROKEN_DEVICE = 134


class Observer(Protocol):
    """Is told what a worker does in one of its stages."""

    def begin(self) -> None:
        """A batch has come."""
        ...

    def end(self, items: Sequence[Any], results: Sequence[Any], seconds: float) -> None:
        """A batch is done.

        Args:
            items: scenes as they came.
            results: what the stage made of them.
            seconds: duration of the call.
        """
        ...


class Worker:
    """Hosts stages in this process, which it sets up for them.

    Args:
        stages: each is called with what the one before it returns.
        observers: one for each stage, or none at all.
        patience: seconds after which a stage that works on a batch has stalled; the process ends.

    Raises:
        RepeatedError: a GPU has too little memory for the networks.
    """

    def __init__(
        self,
        stages: Sequence[StageSpec],
        observers: Sequence[Observer] = (),
        patience: float | None = None,
    ) -> None:
        prepare_process()
        self._stages = [make(stage) for stage in stages]
        self._devices = [stage.device for stage in stages]
        self._observers = observers
        self._patience = patience
        self._turn = Lock()

    def __call__(self, items: Sequence[Scene]) -> Sequence[Any]:
        """What the last stage makes of scenes.

        Several threads may call it. One batch at a time goes through the stages. On a GPU these
        only start what it is to do, so that the next batch can follow while the first is awaited.
        """
        passed = [items]
        with self._turn:
            clock = _Clock(self._devices)
            for i, (stage, device) in enumerate(zip(self._stages, self._devices, strict=True)):
                for observer in self._observers[i : i + 1]:
                    observer.begin()
                passed.append(self._call(stage, _reachable(passed[-1], device)))
                clock.mark()
            finish = start_download(_scenes(passed[-1]))
        with ended_after(self._patience):
            _with_device(finish)
            _with_device(clock.wait)
        seconds = clock.seconds()
        if clock.is_of_gpu:
            self._correct(_scenes(passed[-1]), seconds)
        for i, observer in enumerate(self._observers):
            observer.end(passed[i], passed[i + 1], seconds[i])
        return passed[-1]

    def _correct(self, scenes: Sequence[Scene], seconds: Sequence[float]) -> None:
        """Replace the time that it took to start a stage by that which the GPU took for it."""
        for stage, spent in zip(self._stages, seconds, strict=True):
            name = stage.declaration.name
            done = [scene for scene in scenes if name in scene.seconds]
            for scene in done:
                scene.seconds[name] = spent / len(done)

    def _call(self, stage: Stage, items: Sequence[Scene]) -> list[Any]:
        with ended_after(self._patience):
            return call(stage, items)


class _Clock:
    """The times at which the stages of a batch begin and end, on a GPU as the GPU gets there."""

    def __init__(self, devices: Sequence[str]) -> None:
        on_gpu = any(torch.device(device).type == "cuda" for device in devices)
        self.is_of_gpu = on_gpu and torch.cuda.is_available()
        self._events: list[torch.cuda.Event] = []
        self._times: list[float] = []
        self.mark()

    def mark(self) -> None:
        """A stage ends here, and the next one begins."""
        self._times.append(perf_counter())
        if self.is_of_gpu:
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record()
            self._events.append(event)

    def wait(self) -> None:
        """Wait until the GPU has reached the last mark: without images nothing else does."""
        for event in self._events[-1:]:
            event.synchronize()

    def seconds(self) -> list[float]:
        """The seconds between one mark and the next, once the last one has been reached."""
        if self.is_of_gpu:
            return [a.elapsed_time(b) / 1000 for a, b in pairwise(self._events)]
        return [b - a for a, b in pairwise(self._times)]


def _scenes(items: Sequence[Any]) -> list[Scene]:
    return [item for item in items if isinstance(item, Scene)]


def _reachable(items: Sequence[Scene], device: str) -> Sequence[Scene]:
    """Scenes whose images are where a stage can use them."""
    if torch.device(device).type == "cpu":
        _with_device(start_download(_scenes(items)))
    return items


def _with_device(finish: Callable[[], None]) -> None:
    """Wait for a GPU, whose errors are raised here."""
    try:
        finish()
    except RuntimeError as error:
        _end_with_device(error)
        raise


def make(spec: StageSpec) -> Stage:
    """Make a stage, which reads its networks.

    A device that has failed ends the process.

    Raises:
        RepeatedError: the device has too little memory, which it would have for no scene.
    """
    try:
        return spec.make()
    except RuntimeError as error:
        _end_with_device(error)
        if not is_out_of_memory(error):
            raise
        reason = str(error).partition(". ")[0]
        raise RepeatedError(
            f"{spec.declaration.name}: a worker cannot start, for its GPU has too little memory "
            f"left ({reason}); fewer workers or --precision half need less"
        ) from error


def _end_with_device(error: Exception) -> None:
    """End the process if a device has failed: after a CUDA error every later call fails too."""
    if is_broken_device(error):
        log.error("the device failed, this worker ends: %s", error)
        os._exit(BROKEN_DEVICE)


def _try(stage: Stage, items: Sequence[Scene]) -> list[Any]:
    try:
        results = stage([item.copy() for item in items])
    except SystemExit as error:
        # Ray would take it for the wish to end the worker, and end the job.
        raise RuntimeError(f"it asked its process to exit ({error})") from error
    if stage.declaration.returns is Scene:
        given, returned = (sorted(scene.id for scene in scenes) for scenes in (items, results))
        if given != returned:
            raise ValueError("it returned other scenes than it was given")
    return results


def call(stage: Stage, items: Sequence[Scene]) -> list[Any]:
    """Call a stage, the one place where whatever it raises is dealt with.

    If it raises, it is called for each scene by itself and, if that does not help, for each style,
    so that only what it cannot do fails. A device that has failed ends the process. Ray starts
    another process, which does the batch again.

    Raises:
        OSError: the image set cannot be written, which is not the fault of a scene.
    """
    try:
        return _try(stage, items)
    except Exception as error:
        if isinstance(error, OSError) and stage.declaration == WRITE:
            raise
        _end_with_device(error)
        log.exception("%s failed with %d scenes", stage.declaration.name, len(items))
        # Its stack holds the tensors of the batch.
        failure = error.with_traceback(None)
    torch.cuda.empty_cache()
    if len(items) > 1:
        return [result for item in items for result in call(stage, [item])]
    (item,) = items
    styles = item.by_style() if stage.declaration.per_result else [item]
    if len(styles) > 1:
        return join_styles([call(stage, [style]) for style in styles])
    failed = item.copy()
    failed.fail(stage.declaration.name, item.source, failure, unexpected=True)
    # Writing writes it down. A stage of one's own may fail with whatever it gets.
    return [failed] if stage.declaration.returns is Scene else stage([failed])
