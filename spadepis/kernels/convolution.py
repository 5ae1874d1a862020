"""3x3 convolution, by Winograd's method where that is faster."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from spadepis.kernels import winograd

# With fewer tiles than this reading the transformed kernel takes longer than what is saved; and
# kernels between more channels (75 MB when transformed) are not worth the memory.
FEWEST_TILES = 32
MOST_CHANNEL_PAIRS = 2**19

# Transformed kernels, each with what tells whether its kernel is still the same.
_transformed: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def convolve_3x3(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor,
    padding: Literal["reflect", "zeros"],
    rectify: bool = False,
) -> Tensor:
    """Convolve features with a 3x3 kernel, keeping their size.

    On one thread of a CPU, for inference, wide kernels are transformed at their first use and kept
    as long as they live; errors in float32 are then about twice those of direct convolution.

    Args:
        x: [N,C,H,W], of the dtype of the kernel; sides of 2 or more.
        kernel: [O,C,3,3].
        bias: [O].
        padding: what surrounds the features: their mirror image, or zeros.
        rectify: a ReLU follows.

    Returns:
        [N,O,H,W].
    """
    if _winograd_pays(x, kernel):
        return _convolve_by_winograd(x, kernel, bias, padding, rectify)
    if padding == "reflect":
        convolved = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, bias)
    else:
        convolved = F.conv2d(x, kernel, bias, padding=1)
    return F.relu_(convolved) if rectify else convolved


def _winograd_pays(x: Tensor, kernel: Tensor) -> bool:
    tiles = x.shape[2] * x.shape[3] / winograd.TILE**2
    widths = kernel.shape[:2]
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and all(width % winograd.CHUNK == 0 for width in widths)
        and widths[0] * widths[1] <= MOST_CHANNEL_PAIRS
        and tiles >= FEWEST_TILES
        # The transforms take one thread.
        and torch.get_num_threads() == 1
        and not (kernel.requires_grad or x.requires_grad)
        # One made in inference mode does not tell when it changes.
        and not kernel.is_inference()
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    )


def _convolve_by_winograd(
    x: Tensor, kernel: Tensor, bias: Tensor, padding: str, rectify: bool
) -> Tensor:
    if padding == "reflect":
        rows, columns = (np.pad(np.arange(n), 1, mode="reflect") for n in x.shape[2:])
    else:
        x = F.pad(x, (1, 1, 1, 1))
        rows, columns = (np.arange(n) for n in x.shape[2:])
    x = x.contiguous(memory_format=torch.channels_last)
    return winograd.convolve(x, _transform(kernel), bias, rows, columns, rectify)


def _transform(kernel: Tensor) -> Tensor:
    state = kernel.data_ptr(), kernel._version
    if kernel not in _transformed or _transformed[kernel][0] != state:
        _transformed[kernel] = state, winograd.transform_kernel(kernel)
    transformed: Tensor = _transformed[kernel][1]
    return transformed
