"""A whole job on Ray: its rate once all workers run, and the time of each stage."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from spadepis.dataset.image_set.layout import MANIFEST
from tools.benchmark.config import INPUTS
from tools.gpu_check.config import GpuCheckConfig
from tools.gpu_check.facts import Fact

SCRIPT = Path(__file__).parents[2] / "jobs" / "synthesize_and_stylize.py"
STYLES = 4
# Of the shorter and the longer job. What the longer one takes more is work alone.
SCENES = 64, 320


def check_job(config: GpuCheckConfig) -> Iterator[Fact]:
    """Run two jobs of different lengths, and read the times of the stages."""
    if config.is_reduced:
        yield Fact("whole job", "not run in the reduced form")
    elif find_spec("ray") is None:
        yield Fact("whole job", "not run: Ray is not installed")
    else:
        yield from job_facts(config.device, *SCENES)


def job_facts(device: str, fewer: int, more: int) -> Iterator[Fact]:
    """The rate of a job of ``more`` scenes beyond that of ``fewer``, and its stages."""
    with TemporaryDirectory() as folder:
        masks = _label_maps(Path(folder) / "masks", more)
        # Kernels are compiled once.
        _run_job(masks, Path(folder) / "first", 1, device)
        seconds = {}
        for scenes in (fewer, more):
            output = Path(folder) / f"out{scenes}"
            start = perf_counter()
            _run_job(masks, output, scenes, device)
            seconds[scenes] = perf_counter() - start
        manifest: dict[str, Any] = json.loads((output / MANIFEST).read_text(encoding="utf-8"))
    yield Fact(
        "whole job, K = 4: pairs not done", float(manifest["pairs"] - manifest["done"]), "", 0
    )
    pairs = (more - fewer) * STYLES
    yield Fact(
        "whole job, K = 4",
        pairs / (seconds[more] - seconds[fewer]),
        "pairs per second",
        details={f"seconds for {scenes} scenes": spent for scenes, spent in seconds.items()},
    )
    for stage, spent in manifest["seconds_per_image"].items():
        yield Fact(f"whole job, {stage}", 1e3 * spent, "ms per image")


def _label_maps(folder: Path, count: int) -> Path:
    """Copy the label maps that come with spadepis until there are ``count`` of them."""
    folder.mkdir()
    sources = sorted(Path(str(INPUTS / "masks")).iterdir())
    for number, source in enumerate(islice(cycle(sources), count)):
        copyfile(source, folder / f"{number:05d}.png")
    return folder


def _run_job(masks: Path, output: Path, scenes: int, device: str) -> None:
    """Run a job in a process of its own.

    Raises:
        RuntimeError: the job failed; the message is the end of what it printed.
    """
    flags = [f"--masks={masks}", f"--styles={INPUTS / 'styles'}", f"--styles-per-mask={STYLES}"]
    flags += [f"--limit={scenes}", f"--device={device}", f"--output={output}"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"exit status {done.returncode}: {done.stdout[-2000:]}")
