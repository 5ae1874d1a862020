"""The overhead of Ray: a whole job beside the same stages called one after the other."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

from spadepis.dataset.inputs.listing import list_images
from spadepis.pipeline.assembly import assemble
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig, resolve
from spadepis.pipeline.planning.inputs import list_inputs
from spadepis.pipeline.planning.plan import make_plan
from spadepis.pipeline.resources.allocation import ClusterSize, allocate
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import SMOOTH, STYLIZE, SYNTHESIZE
from spadepis.pipeline.workers.worker import Worker
from tools.benchmark.config import BenchmarkConfig

JOB = Job.SYNTHESIZE_AND_STYLIZE
# The stages alone do not depend on how a cluster would be shared.
ANY_SECONDS = {SYNTHESIZE: 1.0, STYLIZE: 1.0, SMOOTH: 1.0}


@dataclass(frozen=True)
class RayJobRates:
    """Pairs per second of a job, including reading and writing.

    Attributes:
        job: rate of the job on Ray, without its start.
        alone: rate of one process per core, each of which calls all stages in turn.
        cores: number of cores of this machine.
        scenes: number of scenes in the longer of two jobs; the shorter one has half as many.
        styles: number of styles of each scene.
    """

    job: float
    alone: float
    cores: int
    scenes: int
    styles: int

    @property
    def efficiency(self) -> float:
        """The rate of the job as a share of the rate without Ray."""
        return self.job / self.alone

    def summary(self) -> str:
        """One line of Markdown."""
        return (
            f"Ray job, {self.scenes} scenes x {self.styles} styles, {self.cores} cores: "
            f"{self.job:.3g} pairs/s; the stages alone {self.alone:.3g} pairs/s; "
            f"{100 * self.efficiency:.0f} %"
        )


def measure_ray_job(config: BenchmarkConfig) -> RayJobRates:
    """Run a job of ``job_scenes`` scenes and one of half as many, and the stages without Ray.

    The difference between the durations of the two jobs is the time for the additional scenes
    while all workers run. The networks are those of the given checkpoints, or the models that come
    with spadepis.
    """
    # Ray takes seconds to import, and the machine that measures the stages may have none.
    from spadepis.pipeline.ray.job import run

    cores = len(os.sched_getaffinity(0))
    scenes, styles = config.job_scenes, max(config.styles)
    with TemporaryDirectory() as folder:
        masks = _copies(config.masks, Path(folder) / "masks", scenes)
        photos = _copies(config.photos, Path(folder) / "styles", styles)
        seconds = {}
        for count in (scenes // 2, scenes):
            start = perf_counter()
            run(_job_config(config, folder, masks, photos, count, styles))
            seconds[count] = perf_counter() - start
        settings = _job_config(config, folder, masks, photos, scenes, styles, "alone")
        plan = make_plan(settings, list_inputs(settings)).scenes
        parts = [plan[core::cores] for core in range(cores)]
        with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
            alone = max(pool.map(_seconds_alone, [settings] * cores, parts))
    added = scenes - scenes // 2
    return RayJobRates(
        job=added * styles / (seconds[scenes] - seconds[scenes // 2]),
        alone=scenes * styles / alone,
        cores=cores,
        scenes=scenes,
        styles=styles,
    )


def _copies(uri: str, folder: Path, count: int) -> str:
    """Copy images into a folder until it has ``count`` files, repeating them if needed."""
    folder.mkdir()
    for number, source in enumerate(islice(cycle(list_images(uri).images.values()), count)):
        copyfile(source, folder / f"{number:05d}{Path(source).suffix}")
    return str(folder)


def _job_config(
    config: BenchmarkConfig,
    folder: str,
    masks: str,
    photos: str,
    count: int,
    styles: int,
    name: str = "out",
) -> JobConfig:
    settings = {
        "masks": masks,
        "styles": photos,
        "output": str(Path(folder) / f"{name}{count}"),
        "label_space": config.label_space,
        "styles_per_mask": styles,
        "limit": count,
        "device": config.device,
        "precision": config.precision,
        "spade_checkpoint": config.spade_checkpoint,
        "photowct_checkpoint": config.photowct_checkpoint,
    }
    return resolve(JOB, settings)


def _seconds_alone(config: JobConfig, scenes: Sequence[Scene]) -> float:
    """Seconds of all stages, one after the other, for scenes in blocks of one."""
    gpus = torch.cuda.device_count() if config.machines.device == "cuda" else 0
    cluster = ClusterSize(len(ANY_SECONDS), gpus)
    allocation = allocate(config.machines, cluster, len(scenes), ANY_SECONDS)
    devices = {stage: workers.device for stage, workers in allocation.items()}
    worker = Worker(assemble(config, devices))
    worker(scenes[:1])
    start = perf_counter()
    for scene in scenes:
        worker([scene])
    return perf_counter() - start
