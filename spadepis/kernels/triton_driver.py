"""Whether Triton's kernels can run on a device."""

from __future__ import annotations

import logging
from functools import cache
from subprocess import SubprocessError

import torch

log = logging.getLogger(__name__)


def runs_triton(device: torch.device) -> bool:
    """Whether kernels written with Triton can be launched on a device.

    If not, what they compute is computed with PyTorch's operators.
    """
    return device.type == "cuda" and _driver_works()


@cache
def _driver_works() -> bool:
    try:
        # Not every platform has Triton.
        from triton.runtime import driver

        driver.active.get_current_target()
    # The driver finds no GPU, or it cannot be built: there is no compiler, library or header.
    except (ImportError, RuntimeError, OSError, AssertionError, SubprocessError) as error:
        log.warning("Triton's kernels are not used: %s", error)
        return False
    return True
