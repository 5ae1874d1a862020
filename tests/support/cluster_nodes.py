"""A Ray cluster of several nodes on this machine, and what runs on each."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
from ray.cluster_utils import Cluster

# In the titles of the workers of a pool.
MARK = "(MapBatches("

OBJECT_STORE_BYTES = 100 << 20


@contextmanager
def head_alone(**settings: Any) -> Iterator[Cluster]:
    """A cluster of a head that does no work, to which nodes can be added."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    arguments = {"num_cpus": 0, "object_store_memory": OBJECT_STORE_BYTES, **settings}
    cluster = Cluster(initialize_head=True, head_node_args=arguments)
    try:
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: Cluster, cpus: int, gpus: int = 0) -> Any:
    """Another node, with an object store of its own."""
    return cluster.add_node(
        num_cpus=cpus, num_gpus=gpus, object_store_memory=OBJECT_STORE_BYTES, wait=False
    )


def stages_on(node: Any) -> set[str]:
    """Classes of the stages that have a worker on a node, ready or being started."""
    raylets = [info.process.pid for info in node.all_processes["raylet"]]
    return set().union(*(stages_below(raylet) for raylet in raylets))


def stages_below(raylet: int) -> set[str]:
    """Classes of the stages that have a worker below a process that manages a node."""
    titles: list[str] = []
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(raylet).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                # Ray gives its processes titles.
                titles += process.cmdline()[:1]
    pools = (title.split(MARK)[1].split(")")[0] for title in titles if MARK in title)
    # A worker on a GPU hosts several stages.
    return {stage for pool in pools for stage in pool.split("+")}
