"""A worker: a process of its own for one stage, or for several consecutive ones on a device."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

import pyarrow as pa
import torch

from spadepis.pipeline.device_errors import is_broken_device, is_out_of_memory
from spadepis.pipeline.division import by_row, by_style, give_up, join_styles
from spadepis.pipeline.repeated_errors import RepeatedError
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

    def end(self, batch: pa.Table, result: pa.Table, seconds: float) -> None:
        """A batch is done.

        Args:
            batch: rows of scenes, as they came.
            result: what the stage made of them.
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
        self._observers = observers
        self._patience = patience

    def __call__(self, batch: pa.Table) -> pa.Table:
        """What the last stage makes of a batch."""
        if not self._observers:
            for stage in self._stages:
                batch = self._call(stage, batch)
            return batch
        for stage, observer in zip(self._stages, self._observers, strict=True):
            observer.begin()
            start = perf_counter()
            result = self._call(stage, batch)
            observer.end(batch, result, perf_counter() - start)
            batch = result
        return batch

    def _call(self, stage: Stage, batch: pa.Table) -> pa.Table:
        with ended_after(self._patience):
            return call(stage, batch)


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


def call(stage: Stage, batch: pa.Table) -> pa.Table:
    """Call a stage, the one place where whatever it raises is dealt with.

    If it raises, it is called for each row by itself and, if that does not help, for each style,
    so that only what it cannot do fails. A device that has failed ends the process. Ray starts
    another process, which does the batch again.

    Raises:
        OSError: nothing can be written, which is not the fault of a scene.
    """
    try:
        return stage(batch)
    except OSError:
        raise
    except Exception as error:
        _end_with_device(error)
        log.exception("%s failed with %d rows", stage.declaration.name, len(batch))
        # Its stack holds the tensors of the batch.
        failure = error.with_traceback(None)
    torch.cuda.empty_cache()
    if len(batch) > 1:
        return pa.concat_tables([call(stage, row) for row in by_row(batch)])
    styles = by_style(batch) if stage.declaration.per_result else [batch]
    if len(styles) > 1:
        return join_styles([call(stage, style) for style in styles])
    # Now it passes on what has failed, or writes it down.
    return stage(give_up(batch, stage.declaration.name, failure))
