"""Grouped matrix products by oneDNN, with the weight kept in oneDNN's own layout.

PyTorch calls them grouped 1x1 convolutions. As such they run at the speed of oneDNN's
convolutions, on some CPUs twice that of MKL's products; but for every call ``F.conv2d`` brings the
weight into that layout again, which takes longer than the product. The operators that keep it
there are not part of PyTorch's documented interface: ``is_available`` tries them, and callers do
without where it says no.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor


@cache
def is_available() -> bool:
    """Whether this PyTorch has the operators, and they give the right products."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    groups, rows, channels = 2, 3, 4
    weight = torch.arange(groups * 5.0 * channels).view(groups, 5, channels)
    x = torch.arange(float(rows * groups * channels)).view(rows, groups, channels)
    try:
        products = multiply(x, pack(weight, rows))
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.equal(products, torch.einsum("ngc,goc->ngo", x, weight))


def pack(weight: Tensor, rows: int) -> Tensor:
    """A weight in the layout in which oneDNN multiplies it fastest.

    Args:
        weight: float32 [G,O,C] on a CPU.
        rows: how many rows ``multiply`` is going to be given, usually.

    Returns:
        An opaque tensor [G*O,C,1,1].
    """
    groups, _, channels = weight.shape
    kernel = weight.reshape(-1, channels, 1, 1)
    input_shape = [1, groups * channels, rows, 1]
    packed: Tensor = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]
        kernel.to_mkldnn(), [0, 0], [1, 1], [1, 1], groups, input_shape
    )
    return packed


def multiply(x: Tensor, packed: Tensor) -> Tensor:
    """Multiply each group of rows with the matrix of its group.

    Args:
        x: float32 [N,G,C] on a CPU.
        packed: the value of ``pack`` for a weight [G,O,C].

    Returns:
        float32 [N,G,O].
    """
    rows, groups, _ = x.shape
    pixels = x.flatten(1)[None, :, None].permute(0, 3, 1, 2)
    no_padding, one = (0, 0), (1, 1)
    products: Tensor = torch.ops.mkldnn._convolution_pointwise(
        pixels, packed, None, no_padding, one, one, groups, "none", [], ""
    )
    return products.permute(0, 2, 3, 1).reshape(rows, groups, -1)
