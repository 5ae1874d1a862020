"""The check, from its settings to lines on the screen and a JSON file."""

from __future__ import annotations

import json
import os
import platform
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import torch
from torch.utils import collect_env

from spadepis.cli.exit_status import exit_status
from spadepis.configuration import ConfigurationError, parse_settings
from tools.benchmark.device import device_name, measure_peak
from tools.gpu_check.config import GpuCheckConfig, Part
from tools.gpu_check.facts import Fact
from tools.gpu_check.golden import check_golden
from tools.gpu_check.memory import check_memory
from tools.gpu_check.rates import (
    check_assessment,
    check_smoothing,
    check_stylization,
    check_synthesis,
)
from tools.gpu_check.whole_job import check_job

CHECKS: Mapping[Part, Callable[[GpuCheckConfig], Iterator[Fact]]] = {
    "golden": check_golden,
    "smoothing": check_smoothing,
    "stylization": check_stylization,
    "synthesis": check_synthesis,
    "assessment": check_assessment,
    "memory": check_memory,
    "job": check_job,
}
SOMETHING_WRONG = 1


def run(arguments: Sequence[str]) -> int:
    """Parse the flags and run the check; returns 0 if all is right."""
    return exit_status(lambda: _run(parse_settings(GpuCheckConfig, arguments)))


@torch.no_grad()
def _run(config: GpuCheckConfig) -> int:
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("--device: PyTorch finds no GPU")
    torch.backends.cudnn.allow_tf32 = False
    start = perf_counter()
    report: dict[str, Any] = {"machine": describe_machine(config.device), "parts": {}}
    print(*(f"{name}: {value}" for name, value in report["machine"].items()), sep="\n")
    right = True
    for part in config.parts:
        found: list[Fact] = []
        error, is_whole = _collect(CHECKS[part](config), found, start, config.seconds)
        right = right and error is None and all(fact.is_right for fact in found)
        facts = [asdict(fact) for fact in found]
        report["parts"][part] = {"facts": facts, "error": error, "is_whole": is_whole}
        # After each part, so that nothing is lost if the machine is taken away.
        report["seconds"] = perf_counter() - start
        config.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print("all that was measured is right" if right else "SOMETHING IS WRONG")
    return 0 if right else SOMETHING_WRONG


def describe_machine(device: str) -> dict[str, str | float]:
    """The device with its driver and peak rates, and the versions of what uses it."""
    peak = measure_peak(device)
    machine: dict[str, str | float] = {
        "device": device_name(device),
        "cpus": os.cpu_count() or 1,
        "product, TMAC/s in float32": peak.macs_per_second / 1e12,
        "copy, GB/s": peak.bytes_per_second / 1e9,
        "Python": platform.python_version(),
        "PyTorch": torch.__version__,
        "Triton": "yes" if find_spec("triton") else "no",
        "Ray": "yes" if find_spec("ray") else "no",
    }
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        driver = collect_env.get_nvidia_driver_version(collect_env.run)  # type: ignore[no-untyped-call]
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        machine |= {
            "memory, GB": properties.total_memory / 1e9,
            "compute capability": f"{properties.major}.{properties.minor}",
            "CUDA": str(torch.version.cuda),
            "driver": str(driver),
            "cuDNN": str(cudnn),
        }
    return machine


def _collect(
    facts: Iterator[Fact], found: list[Fact], start: float, seconds: float
) -> tuple[str | None, bool]:
    """Print and keep facts until the time is up.

    Returns:
        The error that stopped them, if any, and whether that is all of them.
    """
    try:
        while (elapsed := perf_counter() - start) <= seconds:
            fact = next(facts, None)
            if fact is None:
                return None, True
            found.append(fact)
            print(f"[{perf_counter() - start:6.1f}] {fact}", flush=True)
    except Exception as error:
        # Whatever it is, it is a result, and the other parts are still wanted.
        traceback.print_exc(limit=-4, file=sys.stdout)
        return f"{type(error).__name__}: {error}", False
    print(f"[{elapsed:6.1f}] what is left of this part is left out: the time is up")
    return None, False
