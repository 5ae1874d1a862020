"""How many workers each stage gets, and what each of them takes of the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config import JobConfig

# Of all CPUs; the rest is for reading and writing.
WORKERS_SHARE = 0.9
# With fewer CPUs to a GPU than this, smoothing on them would keep the GPU waiting: it stylizes some
# 150 photos of 256x256 a second, of which a CPU smooths about 10.
FEWEST_CPUS_PER_GPU = 16
# Reading and writing take about a tenth of the time of the networks on a CPU.
CPUS_PER_IO_WORKER = 16


@dataclass(frozen=True)
class ClusterSize:
    """Logical CPUs and GPUs of a cluster."""

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Workers:
    """The actors of a stage.

    Attributes:
        count: how many.
        cpus: logical CPUs of each; under 1 where there are fewer CPUs than workers.
        gpus: GPUs of each.
    """

    count: int
    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Allocation:
    """The workers of every stage; a stage that the job does not have has none.

    Attributes:
        device: of the networks, "cpu" or "cuda".
        smoothing_device: likewise.
        half: whether the networks compute in half precision.
        synthesize: runs SPADE.
        stylize: runs PhotoWCT.
        smooth: runs the smoothing solve.
        assess: finds the figures of results.
        read: reads label maps and photos.
        write: writes and commits results.
    """

    device: str
    smoothing_device: str
    half: bool
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
    config: JobConfig, cluster: ClusterSize, scenes: int, seconds: Mapping[str, float]
) -> Allocation:
    """Share a cluster among the stages.

    On CPUs every worker is single-threaded, and spare CPUs go one by one to the stage that is the
    slowest so far. With GPUs each of them holds a worker of every network, and the spare CPUs
    smooth, or, where they are few, the GPUs do that as well.

    Args:
        config: may fix devices and numbers of workers.
        cluster: what there is.
        scenes: how many there are to do; no stage gets more workers by itself.
        seconds: that a scene takes in each stage of the job on a CPU.

    Raises:
        ConfigurationError: more is asked for than the cluster has; the message says what.
    """
    device, smoothing_device = _devices(config, cluster)
    devices = {"synthesize": device, "stylize": device, "smooth": smoothing_device}
    on_gpu = [stage for stage in seconds if devices.get(stage) == "cuda"]
    counts = _count_workers(config, cluster, seconds, on_gpu)
    counts = {stage: min(count, scenes) for stage, count in counts.items()}
    total = sum(counts.values())
    cpus = min(1.0, cluster.cpus * WORKERS_SHARE / total)
    io_workers = min(scenes, max(1, int(cluster.cpus / CPUS_PER_IO_WORKER)))
    io_cpus = min(1.0, cluster.cpus * (1 - WORKERS_SHARE) / (2 * io_workers))

    def workers(stage: str) -> Workers:
        if stage not in counts:
            return Workers(0, 0.0)
        count = counts[stage]
        gpus = min(1.0, cluster.gpus / count / len(on_gpu)) if stage in on_gpu else 0.0
        return Workers(count, cpus, gpus)

    return Allocation(
        device,
        smoothing_device,
        config.precision == "half" or (config.precision == "auto" and device == "cuda"),
        workers("synthesize"),
        workers("stylize"),
        workers("smooth"),
        workers("assess"),
        read=Workers(io_workers, io_cpus),
        write=Workers(io_workers, io_cpus),
    )


def _devices(config: JobConfig, cluster: ClusterSize) -> tuple[str, str]:
    """Devices of the networks and of the smoothing."""
    device = config.device
    if device == "auto":
        device = "cuda" if cluster.gpus >= 1 else "cpu"
    smoothing_device = config.smoothing_device
    if smoothing_device == "auto":
        starved = device == "cuda" and cluster.cpus < FEWEST_CPUS_PER_GPU * cluster.gpus
        smoothing_device = "cuda" if starved else "cpu"
    for name, asked in (("device", device), ("smoothing-device", smoothing_device)):
        if asked == "cuda" and cluster.gpus < 1:
            raise ConfigurationError(f"--{name} cuda: the cluster has no GPU")
    return device, smoothing_device


def _count_workers(
    config: JobConfig,
    cluster: ClusterSize,
    seconds: Mapping[str, float],
    on_gpu: Sequence[str],
) -> dict[str, int]:
    """Workers by stage: as many as are asked for, one a GPU, or as the CPUs allow."""
    settings = {
        "synthesize": config.synthesis_workers,
        "stylize": config.stylization_workers,
        "smooth": config.smoothing_workers,
    }
    fixed = {stage: count for stage, count in settings.items() if count and stage in seconds}
    asked = sum(fixed.values())
    if asked > cluster.cpus:
        raise ConfigurationError(
            f"{asked} workers are asked for, the cluster has {cluster.cpus:g} CPUs"
        )
    counts = dict.fromkeys(seconds, 1) | dict.fromkeys(on_gpu, int(cluster.gpus)) | fixed
    growing = [stage for stage in seconds if stage not in on_gpu and stage not in fixed]
    while growing and sum(counts.values()) < int(cluster.cpus):
        counts[max(growing, key=lambda stage: seconds[stage] / counts[stage])] += 1
    return counts
