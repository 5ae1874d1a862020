"""The smoothing systems of a batch of contents, assembled by two Triton kernels on a GPU.

``torch_affinity`` has the same with PyTorch's operators, more than a hundred, each of which reads
and writes planes of float64.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from spadepis.smoothing.matting_affinity import OFFSETS

# One pixel for each thread, for float64 takes many registers.
TILE = 128
WARPS = 4
# Of a window: three of its mean colour, then six of the whitening.
WINDOW_VALUES = 9


def smoothing_stencil(contents: Tensor, beta: float, epsilon: float) -> Tensor:
    """The matrices A of all contents; see ``torch_affinity.smoothing_stencil``."""
    images, height, width, _ = contents.shape
    pixels = height * width
    planes = contents.permute(0, 3, 1, 2).contiguous()
    windows = contents.new_empty(images, WINDOW_VALUES, pixels)
    stencil = torch.empty(len(OFFSETS), images, pixels, dtype=torch.float32, device=contents.device)
    tiles = triton.cdiv(pixels, TILE)
    options = {"tile_size": TILE, "num_warps": WARPS}
    _find_windows[tiles, images](planes, windows, height, width, epsilon=epsilon, **options)
    _assemble[tiles, images, len(OFFSETS)](
        planes, windows, stencil, height, width, beta=beta, **options
    )
    return stencil


@triton.jit
def _find_windows(contents, windows, height, width, epsilon: tl.constexpr, tile_size: tl.constexpr):
    """Find means and whitening of the 3x3 windows, each kept at its upper left pixel.

    The whitening is that of ``matting_affinity``. Programs are [tiles, N].
    """
    pixels = height * width
    image = tl.program_id(1).to(tl.int64)
    contents += image * 3 * pixels
    i = tl.program_id(0) * tile_size + tl.arange(0, tile_size)
    inside = (i // width < height - 2) & (i % width < width - 2)
    red = tl.zeros([tile_size], tl.float64)
    green = tl.zeros([tile_size], tl.float64)
    blue = tl.zeros([tile_size], tl.float64)
    for k in range(9):
        r, g, b = _colour(contents, i + k // 3 * width + k % 3, pixels, inside)
        red += r
        green += g
        blue += b
    red /= 9
    green /= 9
    blue /= 9
    c00 = tl.zeros([tile_size], tl.float64)
    c10 = tl.zeros([tile_size], tl.float64)
    c11 = tl.zeros([tile_size], tl.float64)
    c20 = tl.zeros([tile_size], tl.float64)
    c21 = tl.zeros([tile_size], tl.float64)
    c22 = tl.zeros([tile_size], tl.float64)
    for k in range(9):
        r, g, b = _colour(contents, i + k // 3 * width + k % 3, pixels, inside)
        r -= red
        g -= green
        b -= blue
        c00 += r * r
        c10 += g * r
        c11 += g * g
        c20 += b * r
        c21 += b * g
        c22 += b * b
    inverse00 = 1 / tl.sqrt((c00 + epsilon) / 9)
    g10 = c10 / 9 * inverse00
    g20 = c20 / 9 * inverse00
    inverse11 = 1 / tl.sqrt((c11 + epsilon) / 9 - g10 * g10)
    g21 = (c21 / 9 - g20 * g10) * inverse11
    inverse22 = 1 / tl.sqrt((c22 + epsilon) / 9 - g20 * g20 - g21 * g21)
    own = windows + image * 9 * pixels + i
    tl.store(own, red, inside)
    tl.store(own + pixels, green, inside)
    tl.store(own + 2 * pixels, blue, inside)
    tl.store(own + 3 * pixels, inverse00, inside)
    tl.store(own + 4 * pixels, g10, inside)
    tl.store(own + 5 * pixels, g20, inside)
    tl.store(own + 6 * pixels, inverse11, inside)
    tl.store(own + 7 * pixels, g21, inside)
    tl.store(own + 8 * pixels, inverse22, inside)


@triton.jit
def _assemble(
    contents, windows, stencil, height, width, beta: tl.constexpr, tile_size: tl.constexpr
):
    """Sum a plane of the affinity over windows, and make it one of A.

    Programs are [tiles, N, 13].
    """
    pixels = height * width
    image = tl.program_id(1).to(tl.int64)
    plane = tl.program_id(2)
    contents += image * 3 * pixels
    windows += image * 9 * pixels
    # As in OFFSETS.
    down = (plane + 2) // 5
    right = (plane + 2) % 5 - 2
    i = tl.program_id(0) * tile_size + tl.arange(0, tile_size)
    row, column = i // width, i % width
    neighbour = i + down * width + right
    affinity = tl.zeros([tile_size], tl.float64)
    # All windows that hold both pixels, by where their upper left pixel is.
    for up in range(down - 2, 1):
        for left in range(tl.maximum(right, 0) - 2, tl.minimum(right, 0) + 1):
            top, side = row + up, column + left
            both = (top >= 0) & (top < height - 2) & (side >= 0) & (side < width - 2)
            window = windows + i + up * width + left
            r0, g0, b0 = _whitened(contents, i, window, pixels, both)
            r1, g1, b1 = _whitened(contents, neighbour, window, pixels, both)
            affinity += tl.where(both, 1 + r0 * r1 + g0 * g1 + b0 * b1, 0.0)
    count = _window_count(row, height) * _window_count(column, width)
    near = _window_count(row + down, height) * _window_count(column + right, width)
    # Pixels in no window have affinity 0, so that any value serves as their root.
    roots = tl.sqrt(tl.maximum(count, 1).to(tl.float64) * tl.maximum(near, 1).to(tl.float64))
    entry = beta * (tl.where(plane == 0, count, 0) - affinity / 9) / roots
    entry += tl.where(plane == 0, 1 - beta, 0.0)
    stencil += (plane * tl.num_programs(1) + image) * pixels
    tl.store(stencil + i, entry.to(tl.float32), i < pixels)


@triton.jit
def _window_count(at, size):
    """How many windows hold a row or column."""
    return tl.maximum(tl.minimum(at, size - 3) - tl.maximum(at - 2, 0) + 1, 0)


@triton.jit
def _colour(contents, i, pixels, inside):
    red = tl.load(contents + i, inside, 0.0)
    green = tl.load(contents + pixels + i, inside, 0.0)
    return red, green, tl.load(contents + 2 * pixels + i, inside, 0.0)


@triton.jit
def _whitened(contents, i, window, pixels, inside):
    """The colour of a pixel, whitened by a window."""
    red, green, blue = _colour(contents, i, pixels, inside)
    r = (red - tl.load(window, inside, 0.0)) * tl.load(window + 3 * pixels, inside, 0.0)
    g = green - tl.load(window + pixels, inside, 0.0)
    g -= tl.load(window + 4 * pixels, inside, 0.0) * r
    g *= tl.load(window + 6 * pixels, inside, 0.0)
    b = blue - tl.load(window + 2 * pixels, inside, 0.0)
    b -= tl.load(window + 5 * pixels, inside, 0.0) * r
    b -= tl.load(window + 7 * pixels, inside, 0.0) * g
    return r, g, b * tl.load(window + 8 * pixels, inside, 0.0)
