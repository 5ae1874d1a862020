"""How many workers each stage gets, and what each of them takes of the cluster."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.resources.rates import CPU_RATES, UNKNOWN_CARD, USUAL_STYLES, cores_of
from spadepis.pipeline.stages.declarations import (
    READ,
    SMOOTH,
    STYLIZE,
    SYNTHESIZE,
    WRITE,
    Declaration,
)

# Share of all CPUs for stages that compute; the rest is for reading and writing.
COMPUTING_SHARE = 0.9
# Reading and writing wait for storage: there is a worker of each for so many CPUs, or more if they
# could not keep up.
CPUS_PER_IO_WORKER = 16
# The stages with networks.
NETWORKS = (SYNTHESIZE, STYLIZE)
# Workers of reading and writing are this much faster than the others.
SPARE_IO = 1.5
# One more worker has to save a job this much, since it takes some seconds of a core to start.
WORTH_A_WORKER_SECONDS = 20.0
# In a job with less to compute than this, workers that host every stage are ready sooner than
# workers of every stage.
SHORT_JOB_SECONDS = 120.0
# One more worker of a short job has to save this much.
WORTH_A_WORKER_OF_SHORT_JOB_SECONDS = 5.0


@dataclass(frozen=True)
class ClusterSize:
    """What a cluster has.

    Attributes:
        cpus: logical CPUs.
        gpus: GPUs.
        card: what they are, one of ``rates.CARDS``.
    """

    cpus: float
    gpus: float
    card: str = UNKNOWN_CARD


@dataclass(frozen=True)
class Workers:
    """The workers of a stage.

    Attributes:
        count: how many; at most so many if their number follows the size of the cluster.
        cpus: logical CPUs of each; none on a GPU.
        gpus: GPUs of each.
        at_first: how many of them before the cluster has grown.
        device: device that they compute on, "cpu" or "cuda".
        shared: whether each of them hosts all consecutive stages that share workers.
    """

    count: int
    cpus: float
    gpus: float = 0.0
    at_first: int = 0
    device: str = "cpu"
    shared: bool = False


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
    that in a long job no stage keeps the others waiting. In a short job on one node without GPUs
    each worker hosts all stages, since a worker takes longer to start than a few scenes take.

    The stages on GPUs share their workers, usually one on each GPU, so that every GPU has all of
    them. Smoothing and, after it, quality metrics run there or on the CPUs, whatever makes the job
    faster by the rates in ``rates``. A worker on a GPU reserves no CPU, so that smoothing on the
    spare CPUs of its node cannot keep it out; the count of the others leaves one for it.

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
    on_gpu = _stages_on_gpus(machines, cluster, seconds)
    work = scenes * sum(seconds.values())
    asked = _asked_workers(machines, list(seconds))
    if one_node and not on_gpu and not asked and work < SHORT_JOB_SECONDS:
        workers = _workers_of_short_job(cluster, scenes, work)
        return dict.fromkeys((READ, *seconds, WRITE), workers)
    counts = _count_workers(asked, cluster, seconds, on_gpu, scenes if one_node else 0)
    counts = {stage: min(count, scenes) for stage, count in counts.items()}
    cpus = COMPUTING_SHARE * min(1.0, cluster.cpus / _processes(counts, on_gpu))
    started = present or cluster

    shared = None
    if on_gpu:
        # They share their workers, so that each GPU has all of them.
        count = max(counts[stage] for stage in on_gpu)
        # No worker can have parts of two GPUs.
        gpus = 1 / math.ceil(count / cluster.gpus)
        at_first = _at_first(count, started.gpus / cluster.gpus)
        shared = Workers(count, 0.0, gpus, at_first, "cuda", shared=True)
    share = started.cpus / cluster.cpus
    computing = {
        stage: shared
        if shared and stage in on_gpu
        else Workers(count, stage.cpus * cpus, at_first=_at_first(count, share))
        for stage, count in counts.items()
    }
    slowest = max(
        seconds[stage] / (cores_of(cluster.card, stage) if stage in on_gpu else 1.0) / count
        for stage, count in counts.items()
    )
    reading, writing = (
        _io_workers(stage, cluster, started, scenes, slowest) for stage in (READ, WRITE)
    )
    return {READ: reading, **computing, WRITE: writing}


def _at_first(count: int, share: float) -> int:
    """How many of some workers start on the share of the cluster that is present."""
    return max(1, min(count, int(count * share)))


def _workers_of_short_job(cluster: ClusterSize, scenes: int, work: float) -> Workers:
    """Workers that host all stages, for a job with so many seconds of work on one node."""
    most = min(scenes, int(cluster.cpus))
    count = 1
    while count < most and work / count - work / (count + 1) > WORTH_A_WORKER_OF_SHORT_JOB_SECONDS:
        count += 1
    cpus = min(1.0, COMPUTING_SHARE * cluster.cpus / count)
    return Workers(count, cpus, at_first=count, shared=True)


def _stages_on_gpus(
    machines: MachineSettings, cluster: ClusterSize, seconds: Mapping[Declaration, float]
) -> Sequence[Declaration]:
    """The stages that GPUs do, one after the other."""
    asked = (("device", machines.device), ("smoothing-device", machines.smoothing_device))
    for name, device in asked:
        if device == "cuda" and cluster.gpus < 1:
            raise ConfigurationError(f"--{name} cuda: the cluster has no GPU")
    if cluster.gpus < 1:
        return ()
    wants_networks = machines.device != "cpu"
    capable = [stage for stage in seconds if "cuda" in stage.devices]
    networks = [stage for stage in capable if stage in NETWORKS] if wants_networks else []
    after = [stage for stage in capable if stage not in NETWORKS]
    choices = [[*networks, *after[:count]] for count in range(len(after) + 1)]
    if machines.smoothing_device != "auto":
        wanted = machines.smoothing_device == "cuda"
        choices = [choice for choice in choices if (SMOOTH in choice) == wanted]
        if not choices:
            raise ConfigurationError(
                f"--smoothing-device {machines.smoothing_device}: the stages of your own do not "
                "allow it"
            )
    elif not networks:
        return ()

    def duration(on_gpu: Sequence[Declaration]) -> float:
        gpus = sum(seconds[stage] / cores_of(cluster.card, stage) for stage in on_gpu)
        cpus = sum(seconds[stage] for stage in seconds if stage not in on_gpu)
        return max(gpus / cluster.gpus, cpus / (COMPUTING_SHARE * cluster.cpus))

    return min(choices, key=duration)


def _io_workers(
    stage: Declaration, cluster: ClusterSize, started: ClusterSize, scenes: int, seconds: float
) -> Workers:
    """The workers of reading or writing, where the other stages do a scene in so many seconds.

    They take what computing leaves of the CPUs, of those that are there at first as well: on a node
    that is full they would wait for one that may never come.
    """
    items = USUAL_STYLES if stage.per_result else 1
    busy = SPARE_IO * items / CPU_RATES[stage] / seconds
    wanted = max(1, int(cluster.cpus / CPUS_PER_IO_WORKER), math.ceil(busy))
    count = min(scenes, max(1, int(cluster.cpus)), wanted)
    at_first = _at_first(count, started.cpus / cluster.cpus)
    left = (1 - COMPUTING_SHARE) / 2
    most = left * min(cluster.cpus / count, started.cpus / at_first)
    cpus = max(stage.cpus, min(1.0, busy / count, most))
    return Workers(count, cpus, at_first=at_first)


def _count_workers(
    fixed: dict[Declaration, int],
    cluster: ClusterSize,
    seconds: Mapping[Declaration, float],
    on_gpu: Sequence[Declaration],
    scenes: int,
) -> dict[Declaration, int]:
    """Workers by stage: as many as are asked for, one a GPU, or as many as the CPUs allow.

    If the number of scenes is given, more workers than CPUs may be worth it.
    """
    # Workers on GPUs reserve no CPU.
    asked = sum(count for stage, count in fixed.items() if stage not in on_gpu)
    if asked > cluster.cpus:
        raise ConfigurationError(
            f"{asked} workers are asked for, the cluster has {cluster.cpus:g} CPUs"
        )
    # The stages on GPUs share their workers.
    shared = max((fixed[stage] for stage in on_gpu if stage in fixed), default=int(cluster.gpus))
    counts = dict.fromkeys(seconds, 1) | fixed | dict.fromkeys(on_gpu, shared)
    growing = [stage for stage in seconds if stage not in on_gpu and stage not in fixed]
    least = sum(seconds[stage] for stage in seconds if stage not in on_gpu) / cluster.cpus
    while growing:
        slowest = max(growing, key=lambda stage: seconds[stage] / counts[stage])
        waiting = scenes * (seconds[slowest] / counts[slowest] - least)
        if _processes(counts, on_gpu) >= int(cluster.cpus) and waiting < WORTH_A_WORKER_SECONDS:
            break
        counts[slowest] += 1
    return counts


def _processes(counts: Mapping[Declaration, int], on_gpu: Sequence[Declaration]) -> int:
    """How many workers compute; stages on GPUs share theirs."""
    shared = max((counts[stage] for stage in on_gpu), default=0)
    return shared + sum(count for stage, count in counts.items() if stage not in on_gpu)


def _asked_workers(
    machines: MachineSettings, stages: Sequence[Declaration]
) -> dict[Declaration, int]:
    """The numbers of workers that settings fix."""
    settings = {stage: stage.workers_setting for stage in stages if stage.workers_setting}
    asked = {stage: getattr(machines, setting) for stage, setting in settings.items()}
    return {stage: count for stage, count in asked.items() if count}
