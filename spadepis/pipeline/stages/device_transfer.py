"""Images cross stages in 8 bits, and go to a device and come back in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(array: NDArray[Any], device: str) -> Tensor:
    """A copy of an array on a device.

    For a GPU it is taken from pinned memory, so that this process does not wait for what the GPU
    is still at.
    """
    copy = torch.tensor(array)
    if device == "cpu":
        return copy
    return copy.pin_memory().to(device, non_blocking=True)


def quantize(images: Tensor) -> Tensor:
    """Clip [N,3,H,W] to [0,1] and round to uint8 [N,H,W,3], on the same device."""
    levels = images.float().clamp(0, 1).mul(255).round().byte()
    return levels.permute(0, 2, 3, 1).contiguous()


def download(levels: Tensor) -> list[NDArray[np.uint8]]:
    """Images uint8 [N,H,W,3] as arrays [H,W,3]."""
    return list(levels.cpu().numpy())
