"""How fast the stages are on a CPU core and on GPUs: the table behind plans and placement.

Rates are items a second at 256x256, with networks of the published widths and four styles for each
label map. Those of CPUs were measured (docs/benchmarks.md). Those of a GPU are measured where
``MEASURED`` has them; the others are computed from what a stage asks of the card (``WORK``) and
from the card's datasheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from spadepis.pipeline.stages.declarations import (
    ASSESS,
    READ,
    SMOOTH,
    STYLIZE,
    SYNTHESIZE,
    WRITE,
    Declaration,
)


@dataclass(frozen=True)
class Card:
    """Peaks of a GPU, from its datasheet, without sparsity.

    Attributes:
        name: name of the card.
        half: multiplications and additions a second in half precision on tensor cores.
        single: the same in float32, not in TensorFloat-32.
        bandwidth: bytes a second from and to its memory.
    """

    name: str
    half: float
    single: float
    bandwidth: float


@dataclass(frozen=True)
class Work:
    """What one item of a stage asks of a GPU.

    Attributes:
        half: multiplications and additions in half precision.
        single: the same in float32.
        bytes: read from and written to memory.
        launches: kernels started by the host.
    """

    half: float
    single: float
    bytes: float
    launches: float


@dataclass(frozen=True)
class Rate:
    """A rate of a stage.

    Attributes:
        value: items a second.
        is_measured: whether it was measured, rather than computed.
    """

    value: float
    is_measured: bool


# NVIDIA's datasheets of H100 SXM, A100 SXM with 80 GB, L4 and T4.
CARDS: Final[Mapping[str, Card]] = {
    "h100": Card("H100", half=989e12, single=67e12, bandwidth=3.35e12),
    "a100": Card("A100", half=312e12, single=19.5e12, bandwidth=2.04e12),
    "l4": Card("L4", half=121e12, single=30.3e12, bandwidth=0.30e12),
    "t4": Card("T4", half=65e12, single=8.1e12, bandwidth=0.32e12),
}
# What a GPU is taken for if its name is not known.
UNKNOWN_CARD = "l4"

# Assumed of cards that were not measured: the shares of the peaks that kernels of these sizes
# reach, and the time that the host takes to start one. Synthesis and smoothing reached 0.37 and
# 0.41 of the bandwidth of an H100, whose host took 45 microseconds for a launch.
SHARE_OF_PEAK = 0.2
SHARE_OF_BANDWIDTH = 0.35
SECONDS_TO_LAUNCH = 45e-6

# Styles of a label map in these rates.
USUAL_STYLES = 4

# On one core of an AMD EPYC (docs/benchmarks.md). That of quality metrics was measured on a core
# that other processes used as well. Those of reading and writing are seconds of CPU alone.
CPU_RATES: Final[Mapping[Declaration, float]] = {
    READ: 365.0,
    SYNTHESIZE: 1.68,
    STYLIZE: 3.08,
    SMOOTH: 17.8,
    ASSESS: 19.0,
    WRITE: 750.0,
}

# Counted on a pretended GPU (``tools.count_launches``) at 256x256, with networks of the published
# widths in half precision: products, the bytes of every operand and result of PyTorch's operators,
# and launches in batches of 16. What kernels of Triton save is left out. An iteration of the
# smoothing reads and writes 36 MB for four styles, and there are 350. Products and bytes of the
# quality metrics are estimates.
WORK: Final[Mapping[Declaration, Work]] = {
    SYNTHESIZE: Work(half=179e9, single=0.0, bytes=1.2e9, launches=10),
    STYLIZE: Work(half=76e9, single=15.2e9, bytes=1.3e9, launches=5),
    SMOOTH: Work(half=0.0, single=3.6e9, bytes=3.2e9, launches=12),
    ASSESS: Work(half=0.0, single=3.7e9, bytes=0.2e9, launches=5),
}

# By card and stage, from ``python -m tools.gpu_check`` on that card (docs/benchmarks.md). When
# stylization was measured, its encoder of level 4 was in float16 too.
MEASURED: Final[Mapping[tuple[str, Declaration], float]] = {
    ("h100", SYNTHESIZE): 1039.0,
    ("h100", STYLIZE): 536.0,
    ("h100", SMOOTH): 433.0,
    ("h100", ASSESS): 2374.0,
}


def gpu_rate(card: str, stage: Declaration) -> Rate:
    """The rate of a stage of ``WORK`` on a whole GPU, one of ``CARDS``."""
    if (card, stage) in MEASURED:
        return Rate(MEASURED[card, stage], is_measured=True)
    peaks, work = CARDS[card], WORK[stage]
    products = (work.half / peaks.half + work.single / peaks.single) / SHARE_OF_PEAK
    memory = work.bytes / peaks.bandwidth / SHARE_OF_BANDWIDTH
    return Rate(1 / max(products, memory, work.launches * SECONDS_TO_LAUNCH), is_measured=False)


def cores_of(card: str, stage: Declaration) -> float:
    """How many CPU cores do as much of a stage as one GPU."""
    return gpu_rate(card, stage).value / CPU_RATES[stage]


def card_of(accelerator: str | None) -> str:
    """The card in the table that a GPU is, by the name that Ray or NVIDIA gives it."""
    names = (accelerator or "").lower().replace("-", " ").replace("_", " ").split()
    return next((name for name in names if name in CARDS), UNKNOWN_CARD)
