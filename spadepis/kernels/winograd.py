"""3x3 convolution on a CPU with a quarter of the multiplications: Winograd's F(4x4, 3x3).

A tile y [4,4] of one output channel comes from a patch d [6,6] of every input channel by

    y = A^T [sum over channels of (G g G^T) * (B^T d B)] A,

where g [3,3] is the kernel between the two channels and * multiplies elementwise: 36 products
instead of 144. Over all tiles and channels that is one matrix product for each of the 36 positions
(Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4).

The matrices follow from five points and infinity. With 0, +-1, +-2, which are theirs, rounding
errors in float32 are four to five times those of direct convolution; with 0, +-1/sqrt(2) and
+-sqrt(2), twice.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.kernels import onednn
from spadepis.kernels.repeats import unify_repeats
from spadepis.kernels.winograd_tiles import (
    CHUNK,
    PATCH,
    POSITIONS,
    TILE,
    Indices,
    P,
    Q,
    restore_tiles,
    transform_patches,
)

# What these take in between stays in the caches of a core.
TILES_AT_ONCE = 96


def transform_kernel(kernel: Tensor) -> Tensor:
    """``G g G^T`` of a kernel, packed for ``convolve``.

    Args:
        kernel: float32 [O,C,3,3] on a CPU, O and C multiples of 64.

    Returns:
        An opaque tensor.
    """
    points = (0.0, P, -P, Q, -Q)
    g = np.zeros((PATCH, 3))
    for row, point in enumerate(points):
        scale = math.prod(point - other for other in points if other != point)
        g[row] = np.array([1, point, point**2]) / scale
    g[-1, -1] = 1
    taps = kernel.detach().double().numpy()
    products = np.einsum("iy,jx,ocyx->ijoc", g, g, taps, optimize=True)
    transformed = torch.from_numpy(products).float().flatten(0, 1)
    return onednn.pack(transformed, TILES_AT_ONCE)


def convolve(
    x: Tensor,
    transformed: Tensor,
    bias: Tensor,
    padding: Literal["reflect", "zeros"],
    rectify: bool,
    exact_ties: bool,
) -> Tensor:
    """Convolve features with a 3x3 kernel on one thread, keeping their size.

    Args:
        x: float32 [N,C,H,W] on a CPU; sides of 2 or more.
        transformed: the value of ``transform_kernel`` for the kernel [O,C,3,3].
        bias: float32 [O].
        padding: what surrounds the features: their mirror image, or zeros.
        rectify: whether a ReLU follows.
        exact_ties: whether adjacent pixels with equal neighbourhoods must have equal results.

    Returns:
        float32 [N,O,H,W], channels last.
    """
    images, channels, height, width = x.shape
    rows, columns = _padded_indices(height, padding), _padded_indices(width, padding)
    if padding == "zeros":
        x = F.pad(x, (1, 1, 1, 1))
    pixels = x.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).numpy()
    tiles_across = math.ceil(width / TILE)
    tiles = math.ceil(height / TILE) * tiles_across
    # Whatever the default is in this process.
    empty = partial(torch.empty, dtype=torch.float32, device="cpu")
    results = empty(images, height, width, len(bias))
    patches = empty(TILES_AT_ONCE, POSITIONS, channels)
    scratch = empty(POSITIONS * CHUNK).numpy()
    offsets, floor = bias.detach().numpy(), np.float32(0 if rectify else -np.inf)
    for image, result in zip(pixels, results.numpy(), strict=True):
        for first in range(0, tiles, TILES_AT_ONCE):
            part = patches[: tiles - first]
            transform_patches(image, rows, columns, first, tiles_across, part.numpy(), scratch)
            products = onednn.multiply(part, transformed).numpy()
            restore_tiles(products, offsets, first, tiles_across, result, scratch, floor)
        if exact_ties:
            unify_repeats(image, rows, columns, result)
    return results.permute(0, 3, 1, 2)


def _padded_indices(size: int, padding: str) -> Indices:
    """The row (or column) of an image that each row (or column) of whole patches shows.

    What the last ones show, beyond the padding, does not matter.
    """
    padded = np.arange(size + 2)
    if padding == "reflect":
        padded = np.pad(np.arange(size), 1, mode="reflect")
    return np.pad(padded, (0, -size % TILE), mode="edge")
