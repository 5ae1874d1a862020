"""A stage that only takes time. It imports little, so that many run on one machine."""

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
    """Sleep for every scene.

    Args:
        seconds: time for a scene.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Rows of ``SCHEMA``: when this worker, identified by its process, had the scenes."""
        start = monotonic()
        sleep(self.seconds * len(batch))
        count = [None] * len(batch)
        columns = [
            batch["scene"],
            *(pa.array([value for _ in count]) for value in (os.getpid(), start, monotonic())),
        ]
        return pa.table(columns, SCHEMA)


class Pass:
    """Return the batch at once."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the same rows."""
        return batch
