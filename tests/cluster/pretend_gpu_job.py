"""The job on a cluster whose GPUs are a pretence: workers that ask for one compute on the CPU."""

import sys
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from spadepis.cli import run_job
from spadepis.pipeline.config import Job
from spadepis.pipeline.resources import Allocation, allocate


def allocate_without_cuda(*arguments: Any) -> Allocation:
    return replace(allocate(*arguments), device="cpu", half=False)


if __name__ == "__main__":
    with patch("spadepis.pipeline.job.allocate", allocate_without_cuda):
        sys.exit(run_job(Job.SYNTHESIZE_AND_STYLIZE, sys.argv[1:]))
