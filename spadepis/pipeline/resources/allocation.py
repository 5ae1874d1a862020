"""How many workers each stage gets, and what each of them takes of the cluster."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config.groups import MachineSettings

# Of all CPUs; the rest is for reading and writing.
WORKERS_SHARE = 0.9
# With fewer CPUs to a GPU than this, smoothing on them would keep the GPU waiting: it stylizes some
# 150 photos of 256x256 a second, and a CPU smooths and assesses about 10.
FEWEST_CPUS_PER_GPU = 16
# Reading and writing take about a tenth of the time of the networks on a CPU.
CPUS_PER_IO_WORKER = 16
# What one more worker has to save a job, for it takes some seconds of a core to start.
WORTH_A_WORKER_SECONDS = 20.0
# So little that what the other workers leave of some node always does, however they are placed.
IO_WORKER_CPUS = (1 - WORKERS_SHARE) / 2


@dataclass(frozen=True)
class ClusterSize:
    """Logical CPUs and GPUs of a cluster."""

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Workers:
    """The actors of a stage.

    Attributes:
        count: how many, at most where their number changes with the cluster.
        cpus: logical CPUs of each; none on a GPU.
        gpus: GPUs of each.
        at_first: how many of them while the cluster has not grown yet.
    """

    count: int
    cpus: float
    gpus: float = 0.0
    at_first: int = 0


@dataclass(frozen=True)
class Allocation:
    """The workers of every stage; a stage that the job does not have has none.

    Attributes:
        device: of the networks, "cpu" or "cuda".
        smoothing_device: likewise.
        synthesize: runs SPADE.
        stylize: runs PhotoWCT.
        smooth: runs the smoothing solve.
        assess: finds the figures of results.
        read: reads label maps and photos.
        write: writes and commits results.
    """

    device: str
    smoothing_device: str
    synthesize: Workers
    stylize: Workers
    smooth: Workers
    assess: Workers
    read: Workers
    write: Workers

    @property
    def workers(self) -> int:
        """Of all stages that compute."""
        stages = (self.synthesize, self.stylize, self.smooth, self.assess)
        return sum(stage.count for stage in stages)


def allocate(
    machines: MachineSettings,
    cluster: ClusterSize,
    scenes: int,
    seconds: Mapping[str, float],
    present: ClusterSize | None = None,
    one_node: bool = False,
) -> Allocation:
    """Share a cluster among the stages.

    On CPUs every worker is single-threaded, and spare CPUs go one by one to the stage that is the
    slowest so far. On one node there may be more workers than CPUs, each with a part of one, so
    that in a long job no stage keeps the others waiting. With GPUs each of them holds a worker of
    every network, and the spare CPUs smooth, or, where they are few, the GPUs do that as well. A
    worker on a GPU reserves no CPU, so that smoothing on the spare CPUs of its node cannot keep it
    out; the count of the others leaves one for it.

    Args:
        machines: may fix devices and numbers of workers.
        cluster: what there is, or may be.
        scenes: how many there are to do; no stage gets more workers by itself.
        seconds: that a scene takes in each stage of the job on a CPU.
        present: what there is of the cluster so far; by default all.
        one_node: whether all CPUs are on one node; else parts of CPUs might not fit on any.

    Raises:
        ConfigurationError: more is asked for than the cluster has; the message says what.
    """
    device, smoothing_device = _devices(machines, cluster)
    devices = {"synthesize": device, "stylize": device, "smooth": smoothing_device}
    on_gpu = [stage for stage in seconds if devices.get(stage) == "cuda"]
    counts = _count_workers(machines, cluster, seconds, on_gpu, scenes if one_node else 0)
    counts = {stage: min(count, scenes) for stage, count in counts.items()}
    total = sum(counts.values())
    cpus = WORKERS_SHARE * min(1.0, cluster.cpus / total)
    io_workers = min(scenes, max(1, int(cluster.cpus / CPUS_PER_IO_WORKER)))
    there = present or cluster

    def at_first(count: int, share: float) -> int:
        return max(1, min(count, int(count * share)))

    def workers(stage: str) -> Workers:
        if stage not in counts:
            return Workers(0, 0.0)
        count = counts[stage]
        if stage not in on_gpu:
            return Workers(count, cpus, at_first=at_first(count, there.cpus / cluster.cpus))
        # No worker can have parts of two GPUs.
        gpus = 1 / len(on_gpu) / math.ceil(count / cluster.gpus)
        return Workers(count, 0.0, gpus, at_first(count, there.gpus / cluster.gpus))

    io = Workers(
        io_workers, IO_WORKER_CPUS, at_first=at_first(io_workers, there.cpus / cluster.cpus)
    )

    return Allocation(
        device,
        smoothing_device,
        workers("synthesize"),
        workers("stylize"),
        workers("smooth"),
        workers("assess"),
        read=io,
        write=io,
    )


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
    seconds: Mapping[str, float],
    on_gpu: Sequence[str],
    scenes: int,
) -> dict[str, int]:
    """Workers by stage: as many as are asked for, one a GPU, or as the CPUs allow.

    Args:
        machines: may ask for some.
        cluster: has the CPUs.
        seconds: of a scene in each stage.
        on_gpu: stages.
        scenes: for which more workers than CPUs may be worth it.
    """
    settings = {
        "synthesize": machines.synthesis_workers,
        "stylize": machines.stylization_workers,
        "smooth": machines.smoothing_workers,
    }
    fixed = {stage: count for stage, count in settings.items() if count and stage in seconds}
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
