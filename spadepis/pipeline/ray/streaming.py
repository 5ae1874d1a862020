"""A job as one Ray dataset: blocks of scenes stream through pools of actors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy, Dataset

from spadepis.pipeline.ray.actors import CALLS_ON_GPU, Actors, tasks_in_flight
from spadepis.pipeline.ray.rows import from_table
from spadepis.pipeline.resources.allocation import Workers

MOST_SCENES_IN_BLOCK = 16
# Ray Data splits larger ones, and the object store of one machine holds only a few of them.
MOST_BYTES_IN_BLOCK = 128 << 20
BLOCKS_PER_WORKER = 4


def scenes_in_block(scenes: int, workers: int, scene_bytes: int = 0) -> int:
    """How many scenes travel together: a few blocks for each worker, up to a size.

    Args:
        scenes: how many there are.
        workers: number of workers that compute.
        scene_bytes: size of a scene with all its images, if it is known.
    """
    fitting = MOST_BYTES_IN_BLOCK // max(1, scene_bytes)
    shared = math.ceil(scenes / (BLOCKS_PER_WORKER * workers))
    return max(1, min(MOST_SCENES_IN_BLOCK, fitting, shared))


def stream(
    blocks: Sequence[pa.Table],
    pools: Sequence[Actors],
    environment: Mapping[str, str],
    elastic: bool,
) -> Dataset:
    """A dataset of what the last pool of actors returns, lazily.

    A worker that dies is started again, on another node if its own is gone, and its blocks are done
    again; what the lost node held of earlier stages is computed anew. Only the plan, which is
    where the driver is, cannot be.

    Args:
        blocks: the plan in blocks, a row for each scene; all but the last have the same number of
            rows.
        pools: pools of actors, through which each block goes in turn.
        environment: environment variables of the actors' processes.
        elastic: whether the pools follow the cluster as it grows and shrinks; if not, each keeps
            all its actors from the first block to the last, which saves starts.
    """
    # Ray Data spreads the workers of a stage over the nodes and prefers, for a block, one on the
    # node where it is. Blocks may overtake each other: the commit log needs no order.
    dataset = ray.data.from_arrow(list(blocks))
    for pool in pools:
        dataset = dataset.map_batches(
            pool.kind,
            fn_constructor_kwargs=dict(pool.arguments),
            batch_size=len(blocks[0]),
            batch_format="pyarrow",
            compute=_strategy(pool.workers, elastic),
            num_cpus=pool.workers.cpus,
            num_gpus=pool.workers.gpus,
            **_options(pool.workers, environment),
        )
    return dataset


def results_of(dataset: Dataset) -> Iterator[Any]:
    """What the last pool of actors of a dataset returns, as it comes."""
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield from from_table(batch)


def _options(workers: Workers, environment: Mapping[str, str]) -> dict[str, Any]:
    """The environment of the actors' processes, if it differs from that of their node."""
    # The processes of a cluster do not see the storage that this one is set to.
    variables = dict(environment)
    if workers.gpus:
        # Batches of many sizes would leave gaps in the memory that nothing fits into.
        variables |= {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}
    return {"runtime_env": {"env_vars": variables}} if variables else {}


def _strategy(workers: Workers, elastic: bool) -> ActorPoolStrategy:
    options: dict[str, Any] = {"max_tasks_in_flight_per_actor": tasks_in_flight(workers)}
    if workers.gpus:
        options |= {"max_concurrent_calls_per_actor": CALLS_ON_GPU}
        options |= {"enable_true_multi_threading": True}
    if not elastic:
        return ActorPoolStrategy(size=workers.count, **options)
    return ActorPoolStrategy(
        min_size=1,
        max_size=workers.count,
        initial_size=workers.at_first,
        **options,
    )
