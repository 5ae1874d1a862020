"""The cluster that a job runs on: that at ``RAY_ADDRESS``, or this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.data import DataContext

from spadepis.checkpoints.errors import CheckpointError
from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.resources.allocation import ClusterSize
from spadepis.pipeline.resources.trial import seconds_per_scene

log = logging.getLogger(__name__)

# Only on this machine; a cluster has its own.
LOCAL_OBJECT_STORE_BYTES = 1 << 30
# After this a cluster is taken to be still coming up.
SECONDS_WITHOUT_A_NODE = 10.0


def on_cluster() -> bool:
    """Whether there is a cluster beside this machine, which may grow, shrink and lose nodes."""
    return "RAY_ADDRESS" in os.environ


@contextmanager
def connection() -> Iterator[None]:
    """A connection to the cluster at ``RAY_ADDRESS``, or a cluster on this machine alone."""
    # Progress is shown in pairs, not in Ray's blocks.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    DataContext.get_current().enable_progress_bars = False
    if ray.is_initialized():
        yield
        return
    # No reports over the network, and no engine logs between the lines of progress.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    alone: dict[str, Any] = {
        "address": "local",
        "include_dashboard": False,
        "object_store_memory": LOCAL_OBJECT_STORE_BYTES,
    }
    arguments = {} if on_cluster() else alone
    ray.init(**arguments, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def present_size() -> ClusterSize:
    """What the cluster has now."""
    resources = ray.cluster_resources()
    return ClusterSize(cpus=resources.get("CPU", 0.0), gpus=resources.get("GPU", 0.0))


def full_size(machines: MachineSettings, present: ClusterSize) -> ClusterSize:
    """What the cluster may grow to.

    Raises:
        ConfigurationError: nothing at all, or this machine is to grow.
    """
    given = machines.cluster_cpus, machines.cluster_gpus
    if not on_cluster() and given != (None, None):
        raise ConfigurationError(
            "--cluster-cpus and --cluster-gpus are for the cluster at RAY_ADDRESS, which is not set"
        )
    cpus, gpus = given
    full = ClusterSize(
        present.cpus if cpus is None else cpus, present.gpus if gpus is None else gpus
    )
    if not full.cpus:
        raise ConfigurationError(
            "the cluster has no CPU yet: --cluster-cpus says how many it may grow to"
        )
    return full


def try_stages(config: JobConfig, styles: float) -> dict[str, float]:
    """``seconds_per_scene`` where scenes will be computed: on a cluster on one of its nodes.

    Args:
        config: of the job.
        styles: of a scene, on average.

    Raises:
        CheckpointError: a checkpoint cannot be read or does not fit.
    """
    if not on_cluster():
        return seconds_per_scene(config, styles)
    with connection():
        # The driver may be on a node that has no more than it needs itself.
        trial = ray.remote(num_cpus=1, runtime_env={"env_vars": dict(config.storage_environment)})
        running = trial(seconds_per_scene).remote(config, styles)
        if not ray.wait([running], timeout=SECONDS_WITHOUT_A_NODE)[0]:
            log.info("a trial of the stages runs, or waits until the cluster has a node with a CPU")
        try:
            seconds: dict[str, float] = ray.get(running)
        except CheckpointError as error:
            # Ray's own error shows the stack of the other process; within it is the first one.
            raise error.args[0] from None
    return seconds
