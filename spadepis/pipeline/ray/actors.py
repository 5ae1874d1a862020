"""Actors of Ray that host the workers of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter
from typing import Any

import pyarrow as pa
import ray

from spadepis.pipeline.ray.metrics import StageMetrics
from spadepis.pipeline.ray.rows import from_table, to_table
from spadepis.pipeline.ray.same_code import class_with_same_code
from spadepis.pipeline.ray.shared_attempts import shared_attempts
from spadepis.pipeline.repeated_errors import RepeatedError
from spadepis.pipeline.resources.allocation import Workers
from spadepis.pipeline.workers.isolation import Isolation
from spadepis.pipeline.workers.pool import Pool
from spadepis.pipeline.workers.worker import Worker

# On a GPU a worker computes one block while it reads the next one and serialises the last one.
CALLS_ON_GPU = 3
# Ray Data hands a worker its next task while it still works on others; all of them are done again
# if it dies.
TASKS_IN_FLIGHT = 2
TASKS_IN_FLIGHT_ON_GPU = CALLS_ON_GPU + 1


def tasks_in_flight(workers: Workers) -> int:
    """How many tasks a worker has at a time."""
    return TASKS_IN_FLIGHT_ON_GPU if workers.gpus else TASKS_IN_FLIGHT


@dataclass(frozen=True)
class Actors:
    """Actors that are all alike.

    Attributes:
        kind: their class; each is called with blocks.
        workers: how many, and what each of them takes.
        arguments: arguments of the constructor.
    """

    kind: type
    workers: Workers
    arguments: Mapping[str, Any] = field(default_factory=dict)


def hosting(pool: Pool, patience: float, measured: bool = True) -> Actors:
    """Actors that host a pool's workers and report what they do.

    Ray restarts an actor whose process died, and gives it the batches that it had. One of them may
    be the cause, so these are done in another process, scene by scene.

    Args:
        pool: the workers.
        patience: seconds that a stage may take for a batch.
        measured: whether the rows are scenes, whose numbers are reported.
    """

    class Host:
        """One worker of the pool."""

        def __init__(self) -> None:
            stages = pool.stages if measured else ()
            self._metrics = [StageMetrics(stage.declaration.name) for stage in stages]
            self._worker: Worker | None = None
            self._suspect_batches = 0
            self._turn = Lock()
            if not ray.get_runtime_context().was_current_actor_reconstructed:
                # It is tried again with the first batch: what that raises, the job can tell.
                with suppress(RepeatedError):
                    self._make_worker()
                return
            attempts = shared_attempts()
            attempts.tell(f"{pool.name}: a worker died or stalled; its scenes are tried one by one")
            # Blocks of uneven sizes are bundled into tasks of up to two batches.
            self._suspect_batches = 2 * tasks_in_flight(pool.workers)
            self._isolations = [Isolation(each, patience, attempts) for each in pool.stages]

        def _make_worker(self) -> Worker:
            self._worker = Worker(pool.stages, self._metrics, patience)
            return self._worker

        def __call__(self, batch: pa.Table) -> pa.Table:
            return to_table(self._do(from_table(batch)))

        def _do(self, items: Sequence[Any]) -> Sequence[Any]:
            with self._turn:
                if self._suspect_batches:
                    return self._isolate(items)
                worker = self._worker or self._make_worker()
            return worker(items)

        def _isolate(self, items: Sequence[Any]) -> Sequence[Any]:
            for i, isolation in enumerate(self._isolations):
                start = perf_counter()
                results = isolation(items)
                for metrics in self._metrics[i : i + 1]:
                    metrics.end(items, results, perf_counter() - start)
                items = results
            self._suspect_batches -= 1
            if not self._suspect_batches:
                for isolation in self._isolations:
                    isolation.close()
            return items

    # Ray Data names its operators by the class.
    Host.__name__ = Host.__qualname__ = pool.name
    return Actors(class_with_same_code(Host), pool.workers)
