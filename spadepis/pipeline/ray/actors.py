"""Actors of Ray that host the workers of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from spadepis.pipeline.ray.metrics import StageMetrics
from spadepis.pipeline.resources.allocation import Workers
from spadepis.pipeline.workers.pool import Pool
from spadepis.pipeline.workers.worker import Worker


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


def hosting(pool: Pool) -> Actors:
    """Actors that host a pool's workers and report what they do."""

    class Host:
        """One worker of the pool."""

        def __init__(self) -> None:
            metrics = [StageMetrics(stage.declaration.name) for stage in pool.stages]
            self._worker = Worker(pool.stages, metrics)

        def __call__(self, batch: pa.Table) -> pa.Table:
            return self._worker(batch)

    # Ray Data names its operators by the class.
    Host.__name__ = Host.__qualname__ = pool.name
    return Actors(Host, pool.workers)
