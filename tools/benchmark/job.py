"""The benchmark, from its settings to a table and a JSON file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from spadepis.cli.exit_status import exit_status
from spadepis.configuration import ConfigurationError, parse_settings
from tools.benchmark.chain import chain_case
from tools.benchmark.config import BenchmarkConfig
from tools.benchmark.device import Peak, device_name, measure_peak
from tools.benchmark.inputs import read_inputs
from tools.benchmark.measuring import Case, measure
from tools.benchmark.networks import Networks, load_networks
from tools.benchmark.ray_job import RayJobRates, measure_ray_job
from tools.benchmark.smoothing import smoothing_case
from tools.benchmark.stylization import stylization_case
from tools.benchmark.synthesis import synthesis_case
from tools.benchmark.table import Row, markdown, row

PACKAGES = ("spadepis", "torch", "numpy", "numba", "scipy")


def run_job(arguments: Sequence[str]) -> int:
    """Parse the flags, run the benchmark, print its table, and return the exit status."""
    return exit_status(lambda: _run(parse_settings(BenchmarkConfig, arguments)))


def _run(config: BenchmarkConfig) -> int:
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("--device: PyTorch finds no GPU")
    torch.set_num_threads(config.threads)
    torch.backends.cudnn.allow_tf32 = False
    peak = measure_peak(config.device)
    rows = []
    for case in cases(config):
        measured = measure(case, config.repeats, config.longest, config.plain_keeps_memory)
        rows.append(row(case, *measured, peak))
        print(markdown(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    job = measure_ray_job(config) if "job" in config.stages else None
    print(_summary(config, peak), markdown(rows), sep="\n\n")
    if job is not None:
        print(f"\n{job.summary()}")
    if config.output is not None:
        report = as_json(config, peak, rows, job)
        Path(config.output).write_text(json.dumps(report, indent=1) + "\n")
    return 0


def cases(config: BenchmarkConfig) -> Iterator[Case]:
    """The cases to measure; each one is made when its turn has come.

    Raises:
        ConfigurationError: the inputs cannot be used.
        CheckpointError: a checkpoint cannot be used.
    """
    networks = load_networks(config)
    for size in config.sizes:
        if "synthesis" in config.stages:
            yield synthesis_case(networks, read_inputs(config, size, 1), config.device)
        for styles in config.styles:
            yield from _cases_with_styles(config, networks, size, styles)


def as_json(
    config: BenchmarkConfig, peak: Peak, rows: Sequence[Row], job: RayJobRates | None
) -> dict[str, object]:
    """The rows, with all that they depend on."""
    return {
        "device": device_name(config.device),
        "threads": torch.get_num_threads(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {package: version(package) for package in PACKAGES},
        "configuration": config.model_dump(exclude={"config", "output"}),
        "product_gigamacs_per_second": peak.macs_per_second / 1e9,
        "copy_gigabytes_per_second": peak.bytes_per_second / 1e9,
        "rows": [row.as_json() for row in rows],
        "job": None if job is None else asdict(job),
    }


def _cases_with_styles(
    config: BenchmarkConfig, networks: Networks, size: int, styles: int
) -> Iterator[Case]:
    inputs = read_inputs(config, size, styles)
    if "stylization" in config.stages:
        yield stylization_case(networks, inputs, config.device)
    if "smoothing" in config.stages:
        yield smoothing_case(inputs, config.device)
    if "chain" in config.stages:
        yield chain_case(networks, inputs, config.device)


def _summary(config: BenchmarkConfig, peak: Peak) -> str:
    threads = torch.get_num_threads()
    return (
        f"{device_name(config.device)}, {threads} CPU thread{'s' if threads > 1 else ''}, "
        f"{datetime.now(UTC):%Y-%m-%d}: product {peak.macs_per_second / 1e9:.0f} GMAC/s, "
        f"copy {peak.bytes_per_second / 1e9:.1f} GB/s"
    )
