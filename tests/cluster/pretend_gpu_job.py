"""The job on a cluster whose GPUs are a pretence, held after its first block till told to go on."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from spadepis.cli.main import run_job
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.resources.allocation import Allocation, allocate

# The processes in which workers try suspect scenes import the stage by the name of its module.
sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.support.held_smooth import HeldSmooth


def allocate_without_cuda(*arguments: Any, **named: Any) -> Allocation:
    """Workers that ask for a GPU and compute on the CPU."""
    allocation = allocate(*arguments, **named)
    return {stage: replace(workers, device="cpu") for stage, workers in allocation.items()}


if __name__ == "__main__":
    with (
        patch("spadepis.pipeline.ray.making.allocate", allocate_without_cuda),
        patch("spadepis.pipeline.assembly.Smooth", HeldSmooth),
    ):
        sys.exit(run_job(Job.SYNTHESIZE_AND_STYLIZE, sys.argv[1:]))
