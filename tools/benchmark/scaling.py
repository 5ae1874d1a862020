"""How a job scales with its workers, with stages that sleep for as long as real ones compute."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import ray
from pydantic import Field
from ray.data import DataContext

from spadepis.cli.exit_status import exit_status
from spadepis.configuration import Configuration, parse_settings
from spadepis.pipeline.ray.actors import Actors
from spadepis.pipeline.ray.streaming import scenes_in_block, stream
from spadepis.pipeline.resources.allocation import CPUS_PER_IO_WORKER, Workers
from tools.benchmark.sleeping_stage import SCHEMA, Pass, Sleep

# Logical: Ray starts a process for each at once.
CPUS = 2
OBJECT_STORE_BYTES = 200 << 20
# Reading, three stages that compute, the quality metrics, and writing.
STAGES = 6


class ScalingConfig(Configuration):
    """Simulate how a job scales with its workers, with stages that only sleep."""

    program: ClassVar[str | None] = "python -m tools.benchmark.simulate_scaling"

    workers: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4, 8, 16, 32, 64)
    """Numbers of workers that compute: --workers 1,4."""
    seconds: float = Field(default=3.0, gt=0)
    """Seconds that a worker takes for a scene. The default is that of four styles on a CPU core
    (docs/benchmarks.md)."""
    scenes_per_worker: int = Field(default=24, ge=4)
    """Scenes for each worker. With too few, there is no time in which all workers run."""
    blocks: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4, 8, 16, 32)
    """Numbers of scenes in a block at which to measure the rate of the driver."""
    driver_blocks: int = Field(default=400, ge=8)
    """Blocks to send through the stages to measure the rate of the driver."""


@dataclass(frozen=True)
class Scaling:
    """What workers that sleep achieve.

    Attributes:
        workers: number of workers.
        scenes: number of scenes processed.
        efficiency: share of the time that workers were busy while all of them had work.
        rate: scenes per second in that time.
    """

    workers: int
    scenes: int
    efficiency: float
    rate: float


@dataclass(frozen=True)
class DriverRate:
    """How fast the driver schedules stages that take no time.

    Attributes:
        rows: scenes in a block.
        rate: scenes per second through all stages.
    """

    rows: int
    rate: float


def simulate(config: ScalingConfig) -> str:
    """Run pipelines of sleeping stages on a local cluster; returns two Markdown tables."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    ray.init(
        address="local",
        num_cpus=CPUS,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        _quieten()
        scaling = [
            measure_scaling(workers, workers * config.scenes_per_worker, config.seconds)
            for workers in config.workers
        ]
        rates = [measure_driver(rows, config.driver_blocks) for rows in config.blocks]
    finally:
        ray.shutdown()
    return f"{scaling_table(scaling)}\n\n{driver_table(rates, config.seconds)}"


def measure_scaling(workers: int, scenes: int, seconds: float) -> Scaling:
    """Send scenes through reading, one sleeping stage and writing, as a job does.

    Args:
        workers: number of workers of the sleeping stage.
        scenes: number of scenes.
        seconds: duration of the sleep for each scene.

    Raises:
        ValueError: with so few scenes there is no time in which all workers run.
    """
    cpus = CPUS / 2 / workers
    io = Workers(max(1, workers // CPUS_PER_IO_WORKER), cpus / 4)
    pools = [
        Actors(Pass, io),
        Actors(Sleep, Workers(workers, cpus), {"seconds": seconds}),
        Actors(Pass, io),
    ]
    rows = scenes_in_block(scenes, workers)
    done = pa.concat_tables(_run(pools, scenes, rows))
    assert len(done) == scenes
    # At the start and at the end of a job some workers have nothing to do.
    spans = done.group_by("worker").aggregate([("start", "min"), ("end", "max")])
    first, last = pc.max(spans["start_min"]).as_py(), pc.min(spans["end_max"]).as_py()
    if len(spans) < workers or first >= last:
        raise ValueError(f"{scenes} scenes are too few for {workers} workers")
    starts = pc.max_element_wise(done["start"], first)
    ends = pc.min_element_wise(done["end"], last)
    within = pc.max_element_wise(pc.subtract(ends, starts), 0.0)
    # The scenes of a block have the same start and end, and share the time between them.
    share = pc.divide(pc.multiply(within, seconds), pc.subtract(done["end"], done["start"]))
    busy = pc.sum(share).as_py()
    efficiency = busy / (workers * (last - first))
    return Scaling(workers, scenes, efficiency, efficiency * workers / seconds)


def measure_driver(rows: int, blocks: int) -> DriverRate:
    """Send blocks through as many stages as a job has; the stages take no time.

    The first quarter of the blocks is not counted, because workers are still being started.

    Args:
        rows: scenes in a block.
        blocks: number of blocks.
    """
    pools = [Actors(Pass, Workers(1, CPUS / 2 / STAGES)) for _ in range(STAGES)]
    arrivals = [perf_counter() for _ in _run(pools, rows * blocks, rows)]
    assert len(arrivals) == blocks
    start = blocks // 4
    return DriverRate(rows, rows * (blocks - start - 1) / (arrivals[-1] - arrivals[start]))


def _run(pools: Sequence[Actors], scenes: int, rows: int) -> Iterator[pa.Table]:
    table = pa.table(
        {name: pa.array(range(scenes), SCHEMA.field(name).type) for name in SCHEMA.names}
    )
    blocks = [table.slice(start, rows) for start in range(0, scenes, rows)]
    dataset = stream(blocks, pools, {}, elastic=False)
    return iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow"))


def _quieten() -> None:
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    DataContext.get_current().enable_progress_bars = False


def scaling_table(measured: Sequence[Scaling]) -> str:
    """The results as a Markdown table."""
    rows = "\n".join(
        f"| {each.workers} | {each.scenes} | {each.rate:.2f} | {100 * each.efficiency:.1f} % |"
        for each in measured
    )
    return f"| workers | scenes | scenes a second | efficiency |\n|---|---|---|---|\n{rows}"


def driver_table(measured: Sequence[DriverRate], seconds: float) -> str:
    """A Markdown table, with the number of workers that would keep the driver busy."""
    rows = "\n".join(
        f"| {each.rows} | {each.rate / each.rows:.0f} | {each.rate:.0f} | "
        f"{each.rate * seconds:.0f} |"
        for each in measured
    )
    title = f"| scenes in a block | blocks a second | scenes a second | workers of {seconds:g} s |"
    return f"{title}\n|---|---|---|---|\n{rows}"


def run_simulation(arguments: Sequence[str]) -> int:
    """Parse the flags, simulate, print the tables, and return the exit status."""

    def work() -> int:
        print(simulate(parse_settings(ScalingConfig, arguments)))
        return 0

    return exit_status(work)
