"""Scaling and shifting features by rows of a table, and a leaky ReLU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.kernels.triton_driver import runs_triton


def modulate(
    features: Tensor, modulation: Tensor, index: Tensor | None, negative_slope: float
) -> Tensor:
    """Scale and shift features, outside training.

    Args:
        features: [N,C,h,w].
        modulation: scales and shifts beside each other, [V,2C].
        index: the row of each pixel, int32 [N,h,w]; None if there is one for each, in order.
        negative_slope: slope of the leaky ReLU that follows; 1 for none.

    Returns:
        [N,C,h,w], channels last.
    """
    if runs_triton(features.device) and features.dtype != torch.float64:
        # Not every platform has Triton.
        from spadepis.spade import triton_modulation

        with torch.cuda.device_of(features):  # type: ignore[no-untyped-call]
            return triton_modulation.modulate(features, modulation, index, negative_slope)
    pixels = features.permute(0, 2, 3, 1)
    if index is None:
        gathered = modulation.view(*pixels.shape[:3], -1)
    else:
        gathered = F.embedding(index, modulation)
    scale, shift = gathered.chunk(2, dim=-1)
    modulated = torch.addcmul(shift, scale, pixels)
    if negative_slope != 1:
        F.leaky_relu_(modulated, negative_slope)
    return modulated.permute(0, 3, 1, 2)
