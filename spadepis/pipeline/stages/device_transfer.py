"""Images in 8 bits: they travel between stages, to a device and back in this form."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(array: NDArray[Any], device: str) -> Tensor:
    """A copy of an array on a device.

    CUDA copies it from pinned memory, so that this process need not wait until the GPU has done
    what it was given before.
    """
    copy = torch.tensor(array)
    if torch.device(device).type == "cuda":
        copy = copy.pin_memory()
    return copy.to(device, non_blocking=True)


def quantize(images: Tensor) -> Tensor:
    """Clip [N,3,H,W] to [0,1] and round to uint8 [N,H,W,3], on the same device."""
    levels = images.float().clamp(0, 1).mul(255).round().byte()
    return levels.permute(0, 2, 3, 1).contiguous()


def download(levels: Tensor) -> list[NDArray[np.uint8]]:
    """Images uint8 [N,H,W,3] as arrays [H,W,3]."""
    return list(levels.cpu().numpy())


def are_finite(images: Tensor) -> Tensor:
    """Whether all values of each image [N,...] are finite, bool [N], on the same device."""
    dimensions = tuple(range(1, images.ndim))
    largest: Tensor = torch.linalg.vector_norm(images, torch.inf, dim=dimensions)
    return largest.isfinite()


def download_finite(levels: Tensor, finite: Tensor) -> list[NDArray[np.uint8] | None]:
    """Images uint8 [N,H,W,3] as arrays [H,W,3], None for those that are not finite.

    Both come in one copy, so that the host waits once.
    """
    packed = torch.cat([levels.flatten(1), finite.byte().unsqueeze(1)], dim=1).cpu().numpy()
    images = packed[:, :-1].reshape(levels.shape)
    return [image if row[-1] else None for image, row in zip(images, packed, strict=True)]
