"""The noise of ``noise`` as one Triton kernel a layer for GPUs."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

# Values of a program.
BLOCK = 1024


def noise_of_rows(
    row_states: Tensor, width: int, step: int, mean: float, deviation: float, dtype: torch.dtype
) -> Tensor:
    """Noise [R,width] of rows whose hashes begin with the lower 32 bits of int64 [R]."""
    output = torch.empty(len(row_states), width, dtype=dtype, device=row_states.device)
    blocks = triton.cdiv(output.numel(), BLOCK)
    _noise[(blocks,)](
        row_states, output, output.numel(), width, mean, deviation, step=step, block=BLOCK
    )
    return output


@triton.jit
def _hash(x):
    """``noise._hash`` of uint32."""
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = (x ^ (x >> 15)) * 0x846CA68B
    return x ^ (x >> 16)


@triton.jit
def _noise(
    row_states, output, count, width, mean, deviation, step: tl.constexpr, block: tl.constexpr
):
    """Programs are [count / block]."""
    i = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = i < count
    state = tl.load(row_states + i // width, inside, 0).to(tl.uint32)
    first = _hash(state + (i % width).to(tl.uint32) * step)
    second = _hash(first ^ step)
    total = (first & 0xFFFF) + (first >> 16) + (second & 0xFFFF) + (second >> 16)
    tl.store(output + i, (total.to(tl.float32) - mean) / deviation, inside)
