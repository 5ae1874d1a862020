"""Timing two forms of the same computation, taking turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from spadepis.benchmark.device import peak_memory, reset_peak_memory, seconds


@dataclass(frozen=True)
class Form:
    """One way to compute results.

    Attributes:
        run: returns [items, ...] on any device.
        items: results of a run.
        device: that it runs on, "cpu" or "cuda".
    """

    run: Callable[[], Tensor]
    items: int
    device: str


@dataclass(frozen=True)
class Case:
    """A stage at one size and number of styles, in its fast and its plain form.

    Attributes:
        stage: its name.
        size: side of the images in pixels.
        styles: of a label map; None where the stage knows of none.
        fast: the form that the pipeline runs.
        plain: the textbook form; its results are the first of the fast form's.
        macs: multiply-accumulates of a run of the fast form.
        traffic: bytes that a run of the fast form reads and writes at least, where they bound it.
    """

    stage: str
    size: int
    styles: int | None
    fast: Form
    plain: Form
    macs: int
    traffic: int | None = None


@dataclass
class Measured:
    """What was measured of one form.

    Attributes:
        results: of its first run.
        peak_bytes: of its first run.
        seconds: of each timed run.
    """

    results: Tensor
    peak_bytes: int
    seconds: list[float] = field(default_factory=list)

    @property
    def median_seconds(self) -> float:
        """Median of the timed runs."""
        return median(self.seconds)


def measure(case: Case, repeats: int, longest: float) -> tuple[Measured, Measured]:
    """Run the fast and the plain form of a case in turns.

    The first run of each warms it up, unless it takes more than ``longest`` seconds: then it is
    the only one and counts.
    """
    forms = case.fast, case.plain
    measured = tuple(_first_run(form, longest) for form in forms)
    repeated = [not each.seconds for each in measured]
    for _ in range(repeats):
        for form, each, again in zip(forms, measured, repeated, strict=True):
            if again:
                each.seconds.append(seconds(form.run, form.device))
    fast, plain = measured
    return fast, plain


def count_macs(run: Callable[[], Tensor]) -> int:
    """Multiply-accumulates of the convolutions and matrix products of a run."""
    with FlopCounterMode(display=False) as counter:
        run()
    operations: int = counter.get_total_flops()
    return operations // 2


def _first_run(form: Form, longest: float) -> Measured:
    reset_peak_memory(form.device)
    start = perf_counter()
    results = form.run()
    if form.device == "cuda":
        torch.cuda.synchronize()
    elapsed = perf_counter() - start
    timed = [elapsed] if elapsed > longest else []
    return Measured(results.cpu(), peak_memory(form.device), timed)
