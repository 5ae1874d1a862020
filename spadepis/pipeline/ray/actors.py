"""Actors of Ray that host the workers of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import pyarrow as pa
import ray

from spadepis.pipeline.ray.metrics import StageMetrics
from spadepis.pipeline.ray.same_code import class_with_same_code
from spadepis.pipeline.ray.shared_attempts import shared_attempts
from spadepis.pipeline.repeated_errors import RepeatedError
from spadepis.pipeline.resources.allocation import Workers
from spadepis.pipeline.rows import from_table, to_table
from spadepis.pipeline.workers.isolation import Isolation
from spadepis.pipeline.workers.pool import Pool
from spadepis.pipeline.workers.worker import Worker

# Ray Data hands a worker its next task while it still works on one; both are done again if it dies.
TASKS_IN_FLIGHT = 2
# Blocks of uneven sizes are bundled into tasks of up to two batches.
SUSPECT_BATCHES = 2 * TASKS_IN_FLIGHT


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
            if not ray.get_runtime_context().was_current_actor_reconstructed:
                # It is tried again with the first batch: what that raises, the job can tell.
                with suppress(RepeatedError):
                    self._make_worker()
                return
            attempts = shared_attempts()
            attempts.tell(f"{pool.name}: a worker died or stalled; its scenes are tried one by one")
            self._suspect_batches = SUSPECT_BATCHES
            self._isolation = Isolation(pool.name, pool.stages, patience, attempts)

        def _make_worker(self) -> Worker:
            self._worker = Worker(pool.stages, self._metrics, patience)
            return self._worker

        def __call__(self, batch: pa.Table) -> pa.Table:
            items: list[Any] = from_table(batch, pool.takes)
            return to_table(self._do(items), pool.returns)

        def _do(self, items: Sequence[Any]) -> Sequence[Any]:
            if not self._suspect_batches:
                return (self._worker or self._make_worker())(items)
            start = perf_counter()
            results = self._isolation(items)
            for metrics in self._metrics[-1:]:
                metrics.end(items, results, perf_counter() - start)
            self._suspect_batches -= 1
            if not self._suspect_batches:
                self._isolation.close()
            return results

    # Ray Data names its operators by the class.
    Host.__name__ = Host.__qualname__ = pool.name
    return Actors(class_with_same_code(Host), pool.workers)
