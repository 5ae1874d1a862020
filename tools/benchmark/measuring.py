"""Time two forms of the same computation in turns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from spadepis.kernels import onednn
from spadepis.pipeline.workers.process import keep_freed_memory
from tools.benchmark.device import (
    peak_memory,
    release_memory,
    reset_peak_memory,
    return_freed_memory,
    seconds,
)


@dataclass(frozen=True)
class Form:
    """One way to compute results.

    Attributes:
        run: returns the results [items, ...] on any device.
        items: number of results of a run.
        device: "cpu" or "cuda".
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
        styles: number of styles of a label map; None for stages without styles.
        fast: the form that the pipeline runs.
        plain: the textbook form; it computes the first results of the fast form.
        macs: multiply-accumulates of a run of the fast form.
        traffic: bytes that a run of the fast form has to read and write, if memory is its
            bottleneck.
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
    """The measurements of one form.

    Attributes:
        results: the results of its first run.
        peak_bytes: peak memory of its first run.
        seconds: duration of each timed run.
    """

    results: Tensor
    peak_bytes: int
    seconds: list[float] = field(default_factory=list)

    @property
    def median_seconds(self) -> float:
        """Median of the timed runs."""
        return median(self.seconds)


def measure(
    case: Case, repeats: int, longest: float, plain_keeps_memory: bool
) -> tuple[Measured, Measured]:
    """Run the fast and the textbook form of a case in turns.

    The fast form keeps freed memory, as the pipeline's workers do; the textbook form does so only
    with ``plain_keeps_memory``. The first run of each form is a warm-up, unless it takes more than
    ``longest`` seconds: then it is the only one, and it is timed.
    """
    forms = (case.fast, keep_freed_memory), (case.plain, return_freed_memory)
    if plain_keeps_memory:
        forms = (case.fast, keep_freed_memory), (case.plain, keep_freed_memory)
    measured = []
    for form, set_allocator in forms:
        set_allocator()
        measured.append(_first_run(form, longest))
    repeated = [not each.seconds for each in measured]
    for _ in range(repeats):
        for (form, set_allocator), each, again in zip(forms, measured, repeated, strict=True):
            if again:
                set_allocator()
                each.seconds.append(seconds(form.run, form.device))
    fast, plain = measured
    return fast, plain


def count_macs(run: Callable[[], object]) -> int:
    """Multiply-accumulates of the convolutions and matrix products of a run.

    For Winograd's method the products are counted, without the transforms around them.
    """
    # Without this operator the package multiplies by convolutions, which the counter knows.
    products = {}
    if onednn.is_available():
        products[torch.ops.mkldnn._convolution_pointwise] = _grouped_convolution_flops
    with FlopCounterMode(display=False, custom_mapping=products) as counter:
        run()
    operations: int = counter.get_total_flops()
    return operations // 2


def _grouped_convolution_flops(
    _input_shape: Sequence[int], kernel_shape: Sequence[int], *_: object, out_shape: Sequence[int]
) -> int:
    return 2 * math.prod(out_shape) * math.prod(kernel_shape[1:])


def _first_run(form: Form, longest: float) -> Measured:
    release_memory()
    reset_peak_memory(form.device)
    results: list[Tensor] = []

    def run() -> Tensor:
        results.append(form.run())
        return results[0]

    elapsed = seconds(run, form.device)
    timed = [elapsed] if elapsed > longest else []
    return Measured(results[0].cpu(), peak_memory(form.device), timed)
