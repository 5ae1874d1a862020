"""A stage that only takes time. What it imports is little: many run on one machine."""

from __future__ import annotations

import os
from time import monotonic, sleep

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("scene", pa.int64()),
        ("worker", pa.int64()),
        ("start", pa.float64()),
        ("end", pa.float64()),
    ]
)


class Sleep:
    """Take some time for every scene.

    Args:
        seconds: of a scene.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Rows of ``SCHEMA``: when this worker, known by its process, was at the scenes."""
        start = monotonic()
        sleep(self.seconds * len(batch))
        count = [None] * len(batch)
        columns = [
            batch["scene"],
            *(pa.array([value for _ in count]) for value in (os.getpid(), start, monotonic())),
        ]
        return pa.table(columns, SCHEMA)


class Pass:
    """Hand on what came in, in no time."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The same rows."""
        return batch
