"""A pass over inputs before the job itself, whose result is one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.data import ActorPoolStrategy


def on_all_cpus(
    table: pa.Table,
    kind: type,
    arguments: Mapping[str, Any],
    rows_in_block: int,
    environment: Mapping[str, str],
) -> pa.Table:
    """Send a table block by block through actors on all CPUs of the cluster.

    Args:
        table: one row at least.
        kind: class of the actors; called with a block, they return a table.
        arguments: of its constructor.
        rows_in_block: of ``table``.
        environment: variables of the actors' processes.

    Returns:
        What the actors returned, in any order.
    """
    starts = range(0, len(table), rows_in_block)
    blocks = [table.slice(start, rows_in_block) for start in starts]
    cpus = int(ray.cluster_resources().get("CPU", 1))
    options = {"runtime_env": {"env_vars": dict(environment)}} if environment else {}
    results = ray.data.from_arrow(blocks).map_batches(
        kind,
        fn_constructor_kwargs=dict(arguments),
        batch_size=rows_in_block,
        batch_format="pyarrow",
        # One CPU is left to what feeds them.
        compute=ActorPoolStrategy(size=min(len(blocks), max(1, cpus - 1))),
        num_cpus=1,
        **options,
    )
    return pa.concat_tables(results.iter_batches(batch_size=None, batch_format="pyarrow"))
