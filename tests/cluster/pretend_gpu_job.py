"""The job on a cluster whose GPUs are a pretence, held after its first block till told to go on."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any, ClassVar
from unittest.mock import patch

import pyarrow as pa

from spadepis.cli.main import run_job
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.resources.allocation import Allocation, allocate
from spadepis.pipeline.stages.smooth import Smooth

# Path of a file at whose coming the job goes on.
GO_ON = "GO_ON"
POLL_SECONDS = 0.05


def allocate_without_cuda(*arguments: Any, **named: Any) -> Allocation:
    """Workers that ask for a GPU and compute on the CPU."""
    allocation = allocate(*arguments, **named)
    return {stage: replace(workers, device="cpu") for stage, workers in allocation.items()}


class HeldSmooth:
    """Smooths one block, and the others when it may go on."""

    declaration: ClassVar = Smooth.declaration

    def __init__(self) -> None:
        self._smooth = Smooth()
        self._free = True

    def __call__(self, batch: pa.Table) -> pa.Table:
        while not self._free and not Path(os.environ[GO_ON]).exists():
            sleep(POLL_SECONDS)
        self._free = False
        return self._smooth(batch)


if __name__ == "__main__":
    with (
        patch("spadepis.pipeline.ray.making.allocate", allocate_without_cuda),
        patch("spadepis.pipeline.assembly.Smooth", HeldSmooth),
    ):
        sys.exit(run_job(Job.SYNTHESIZE_AND_STYLIZE, sys.argv[1:]))
