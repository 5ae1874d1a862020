"""How many workers each stage gets, and what each of them takes of the cluster."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.stages.declarations import READ, SMOOTH, WRITE, Declaration

# Share of all CPUs for stages that compute; the rest is for reading and writing.
COMPUTING_SHARE = 0.9
# With fewer CPUs to a GPU than this, smoothing on them would keep the GPU waiting: it stylizes some
# 150 photos of 256x256 a second, and a CPU smooths and assesses about 10.
FEWEST_CPUS_PER_GPU = 16
# Reading and writing take about a tenth of the time of the networks on a CPU.
CPUS_PER_IO_WORKER = 16
# One more worker has to save a job this much, since it takes some seconds of a core to start.
WORTH_A_WORKER_SECONDS = 20.0


@dataclass(frozen=True)
class ClusterSize:
    """Logical CPUs and GPUs of a cluster."""

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Workers:
    """The workers of a stage.

    Attributes:
        count: how many; at most so many if their number follows the size of the cluster.
        cpus: logical CPUs of each; none on a GPU.
        gpus: GPUs of each.
        at_first: how many of them before the cluster has grown.
        device: device that they compute on, "cpu" or "cuda".
    """

    count: int
    cpus: float
    gpus: float = 0.0
    at_first: int = 0
    device: str = "cpu"


Allocation = Mapping[Declaration, Workers]


def allocate(
    machines: MachineSettings,
    cluster: ClusterSize,
    scenes: int,
    seconds: Mapping[Declaration, float],
    present: ClusterSize | None = None,
    one_node: bool = False,
) -> Allocation:
    """Share a cluster among the stages of a job.

    On CPUs every worker is single-threaded, and spare CPUs go one by one to the stage that is the
    slowest so far. On one node there may be more workers than CPUs, each with a part of one, so
    that in a long job no stage keeps the others waiting. The stages on GPUs share their workers,
    usually one on each GPU, so that every GPU has all of them. The spare CPUs smooth, or, if there
    are too few, the GPUs do that as well. A worker on a GPU reserves no CPU, so that smoothing on
    the spare CPUs of its node cannot keep it out; the count of the others leaves one for it.

    Args:
        machines: may fix devices and numbers of workers.
        cluster: the resources that the cluster has or may grow to.
        scenes: how many are to be done; no stage gets more workers than that by itself.
        seconds: time that a scene takes in each stage of the job that computes, on a CPU.
        present: the resources that it has so far; by default all of ``cluster``.
        one_node: whether all CPUs are on one node; else parts of CPUs might not fit on any.

    Returns:
        The workers of these stages, and of reading and writing.

    Raises:
        ConfigurationError: more is asked for than the cluster has; the message says what.
    """
    device, smoothing_device = _devices(machines, cluster)
    devices = {
        stage: smoothing_device if stage == SMOOTH else device
        for stage in seconds
        if "cuda" in stage.devices
    }
    on_gpu = [stage for stage, device in devices.items() if device == "cuda"]
    counts = _count_workers(machines, cluster, seconds, on_gpu, scenes if one_node else 0)
    counts = {stage: min(count, scenes) for stage, count in counts.items()}
    cpus = COMPUTING_SHARE * min(1.0, cluster.cpus / sum(counts.values()))
    started = present or cluster

    def at_first(count: int, share: float) -> int:
        return max(1, min(count, int(count * share)))

    def on_cpus(count: int, cpus: float) -> Workers:
        return Workers(count, cpus, at_first=at_first(count, started.cpus / cluster.cpus))

    def on_gpus(count: int) -> Workers:
        # No worker can have parts of two GPUs.
        gpus = 1 / math.ceil(count / cluster.gpus)
        return Workers(count, 0.0, gpus, at_first(count, started.gpus / cluster.gpus), "cuda")

    # They share their workers, so that each GPU has all of them.
    shared = on_gpus(max(counts[stage] for stage in on_gpu)) if on_gpu else None
    computing = {
        stage: shared if shared and stage in on_gpu else on_cpus(count, stage.cpus * cpus)
        for stage, count in counts.items()
    }
    io_workers = min(scenes, max(1, int(cluster.cpus / CPUS_PER_IO_WORKER)))
    reading, writing = (on_cpus(io_workers, stage.cpus) for stage in (READ, WRITE))
    return {READ: reading, **computing, WRITE: writing}


def _devices(machines: MachineSettings, cluster: ClusterSize) -> tuple[str, str]:
    """Devices of the networks and of the smoothing."""
    device = machines.device
    if device == "auto":
        device = "cuda" if cluster.gpus >= 1 else "cpu"
    smoothing_device = machines.smoothing_device
    if smoothing_device == "auto":
        starved = device == "cuda" and cluster.cpus < FEWEST_CPUS_PER_GPU * cluster.gpus
        smoothing_device = "cuda" if starved else "cpu"
    for name, asked in (("device", device), ("smoothing-device", smoothing_device)):
        if asked == "cuda" and cluster.gpus < 1:
            raise ConfigurationError(f"--{name} cuda: the cluster has no GPU")
    return device, smoothing_device


def _count_workers(
    machines: MachineSettings,
    cluster: ClusterSize,
    seconds: Mapping[Declaration, float],
    on_gpu: Sequence[Declaration],
    scenes: int,
) -> dict[Declaration, int]:
    """Workers by stage: as many as are asked for, one a GPU, or as many as the CPUs allow.

    Args:
        machines: may ask for some.
        cluster: the resources of the cluster.
        seconds: time that a scene takes in each stage.
        on_gpu: stages that run on GPUs.
        scenes: number of scenes, for which more workers than CPUs may be worth it.
    """
    fixed = _asked_workers(machines, list(seconds))
    asked = sum(fixed.values())
    if asked > cluster.cpus:
        raise ConfigurationError(
            f"{asked} workers are asked for, the cluster has {cluster.cpus:g} CPUs"
        )
    counts = dict.fromkeys(seconds, 1) | dict.fromkeys(on_gpu, int(cluster.gpus)) | fixed
    growing = [stage for stage in seconds if stage not in on_gpu and stage not in fixed]
    least = sum(seconds[stage] for stage in seconds if stage not in on_gpu) / cluster.cpus
    while growing:
        slowest = max(growing, key=lambda stage: seconds[stage] / counts[stage])
        waiting = scenes * (seconds[slowest] / counts[slowest] - least)
        if sum(counts.values()) >= int(cluster.cpus) and waiting < WORTH_A_WORKER_SECONDS:
            break
        counts[slowest] += 1
    return counts


def _asked_workers(
    machines: MachineSettings, stages: Sequence[Declaration]
) -> dict[Declaration, int]:
    """The numbers of workers that settings fix."""
    settings = {stage: stage.workers_setting for stage in stages if stage.workers_setting}
    asked = {stage: getattr(machines, setting) for stage, setting in settings.items()}
    return {stage: count for stage, count in asked.items() if count}
