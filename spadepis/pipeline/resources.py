"""How many workers each stage gets, and what each of them takes of the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config import Job, JobConfig

# Of all CPUs; the rest is for reading and writing.
WORKERS_SHARE = 0.9
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
        synthesize: runs SPADE.
        stylize: runs PhotoWCT.
        smooth: runs the smoothing solve.
        read: reads label maps and photos.
        write: writes and commits results.
    """

    device: str
    synthesize: Workers
    stylize: Workers
    smooth: Workers
    read: Workers
    write: Workers

    @property
    def workers(self) -> int:
        """Of all stages that compute."""
        return self.synthesize.count + self.stylize.count + self.smooth.count


def allocate(job: Job, config: JobConfig, cluster: ClusterSize, scenes: int) -> Allocation:
    """Share a cluster among the stages.

    On CPUs every worker is single-threaded, and spare CPUs go one by one to the stage that is the
    slowest so far. With GPUs each of them holds a worker of every network, and the spare CPUs
    smooth.

    Args:
        job: has the stages.
        config: may fix the device and numbers of workers.
        cluster: what there is.
        scenes: how many there are to do; no stage gets more workers by itself.

    Raises:
        ConfigurationError: more is asked for than the cluster has; the message says what.
    """
    device = config.device
    if device == "auto":
        device = "cuda" if cluster.gpus >= 1 else "cpu"
    if device == "cuda" and cluster.gpus < 1:
        raise ConfigurationError("--device cuda: the cluster has no GPU")

    seconds = _seconds_per_scene(job, config.styles_per_mask)
    on_gpu = [stage for stage in seconds if stage != "smooth" and device == "cuda"]
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
        workers("synthesize"),
        workers("stylize"),
        workers("smooth"),
        read=Workers(io_workers, io_cpus),
        write=Workers(io_workers, io_cpus),
    )


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


def _seconds_per_scene(job: Job, styles: int) -> dict[str, float]:
    """By stage, at the published widths and 256x256 on one core: only the ratios matter."""
    seconds: dict[str, float] = {}
    if job.synthesizes:
        seconds["synthesize"] = 1.0
    if job.stylizes:
        seconds["stylize"] = 0.3 + 0.6 * styles
        seconds["smooth"] = 0.1 + 0.1 * styles
    return seconds
