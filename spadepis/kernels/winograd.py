"""3x3 convolution on a CPU with a quarter of the multiplications, as F(4x4, 3x3) of Winograd.

A tile y [4,4] of one output channel comes from a patch d [6,6] of every input channel by

    y = A^T [sum over channels of (G g G^T) * (B^T d B)] A,

where g [3,3] is the kernel between the two channels and * multiplies elementwise: 36 products
instead of 144. Over all tiles and channels that is one matrix product for each of the 36 positions
(Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4).

The matrices follow from five points and infinity. With 0, +-1, +-2, which are theirs, rounding
errors in float32 are four to five times those of direct convolution; with 0, +-1/sqrt(2) and
+-sqrt(2), twice.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.kernels.compilation import compiled

TILE = 4
PATCH = 6
POSITIONS = PATCH * PATCH
# Channels that are transformed together: constant, so that the compiler vectorises all loops over
# them. Widths must be multiples of it.
CHUNK = 64
# What they take in between stays in the caches of a core.
TILES_AT_ONCE = 96

# The points other than 0 and infinity are +-P and +-Q.
P, Q = math.sqrt(0.5), math.sqrt(2)

_P, _Q = np.float32(P), np.float32(Q)
_P2, _Q2, _SUM2 = np.float32(P**2), np.float32(Q**2), np.float32(P**2 + Q**2)
_P3, _Q3 = np.float32(P**3), np.float32(Q**3)
_CHUNK = np.uintp(CHUNK)
_PATCH_ROW = np.uintp(PATCH * CHUNK)

Flat = NDArray[np.float32]
Indices = NDArray[np.intp]
_Six = tuple[np.float32, np.float32, np.float32, np.float32, np.float32, np.float32]
_Four = tuple[np.float32, np.float32, np.float32, np.float32]


def transform_kernel(kernel: Tensor) -> Tensor:
    """``G g G^T`` of a kernel [O,C,3,3] on a CPU, float32, O and C multiples of 64.

    Returns:
        [36*O,C,1,1] in the opaque layout in which oneDNN multiplies fastest, for `convolve`.
    """
    points = (0.0, P, -P, Q, -Q)
    g = np.zeros((PATCH, 3))
    for row, point in enumerate(points):
        scale = math.prod(point - other for other in points if other != point)
        g[row] = np.array([1, point, point**2]) / scale
    g[-1, -1] = 1
    products = np.einsum("iy,jx,ocyx->ijoc", g, g, kernel.double().numpy(), optimize=True)
    transformed = torch.from_numpy(products).float().reshape(-1, kernel.shape[1], 1, 1)
    shape = [1, POSITIONS * kernel.shape[1], TILES_AT_ONCE, 1]
    packed: Tensor = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]
        transformed.to_mkldnn(), [0, 0], [1, 1], [1, 1], POSITIONS, shape
    )
    return packed


def convolve(
    images: Tensor,
    transformed: Tensor,
    bias: Tensor,
    rows: Indices,
    columns: Indices,
    rectify: bool,
) -> Tensor:
    """Convolve features with a 3x3 kernel, on one thread.

    Args:
        images: float32 [N,C,H,W] on a CPU, channels last.
        transformed: of `transform_kernel`.
        bias: float32 [O].
        rows: the row of an image that each row of the padded image shows. The result has two rows
            fewer.
        columns: likewise.
        rectify: a ReLU follows.

    Returns:
        float32 [N,O,h,w], channels last, where h = len(rows) - 2 and w = len(columns) - 2.
    """
    height, width = len(rows) - 2, len(columns) - 2
    across = math.ceil(width / TILE)
    tiles = math.ceil(height / TILE) * across
    rows, columns = _to_whole_tiles(rows), _to_whole_tiles(columns)
    results = torch.empty(len(images), height, width, len(bias))
    patches = torch.empty(TILES_AT_ONCE, POSITIONS, images.shape[1])
    patch = torch.empty(POSITIONS * CHUNK).numpy()
    offsets, floor = bias.numpy(), np.float32(0 if rectify else -np.inf)
    for pixels, result in zip(images.permute(0, 2, 3, 1).numpy(), results.numpy(), strict=True):
        for first in range(0, tiles, TILES_AT_ONCE):
            some = patches[: tiles - first]
            _transform_patches(pixels, rows, columns, first, across, some.numpy(), patch)
            products = _multiply(some, transformed)
            _restore_tiles(products.numpy(), offsets, first, across, result, patch, floor)
    return results.permute(0, 3, 1, 2)


def _to_whole_tiles(indices: Indices) -> Indices:
    """As many indices as whole tiles need; what the last ones show does not matter."""
    missing = -(len(indices) - 2) % TILE
    return np.pad(indices, (0, missing), mode="edge")


def _multiply(patches: Tensor, transformed: Tensor) -> Tensor:
    """The 36 products of patches [n,36,C] with a transformed kernel: [n,36,O].

    As a grouped 1x1 convolution they run at the speed of oneDNN's, twice that of MKL's products on
    some CPUs; with the kernel in its layout already.
    """
    pixels = patches.flatten(1)[None, :, None].permute(0, 3, 1, 2)
    no_padding, one = (0, 0), (1, 1)
    products: Tensor = torch.ops.mkldnn._convolution_pointwise(
        pixels, transformed, None, no_padding, one, one, POSITIONS, "none", [], ""
    )
    return products.permute(0, 2, 3, 1).reshape(len(patches), POSITIONS, -1)


@compiled
def _forward(x: _Six) -> _Six:
    """``B^T x``.

    Row i has the coefficients of the product of (x - p) over all points p but the i-th, the last
    row of that over all of them.
    """
    x0, x1, x2, x3, x4, x5 = x
    even_p, odd_p = x4 - _Q2 * x2, _P * (x3 - _Q2 * x1)
    even_q, odd_q = x4 - _P2 * x2, _Q * (x3 - _P2 * x1)
    # The coefficient P**2 * Q**2 is 1.
    return (
        x0 - _SUM2 * x2 + x4,
        even_p + odd_p,
        even_p - odd_p,
        even_q + odd_q,
        even_q - odd_q,
        x1 - _SUM2 * x3 + x5,
    )


@compiled
def _back(x: _Six) -> _Four:
    """``A^T x``: row i has the i-th powers of the points."""
    x0, x1, x2, x3, x4, x5 = x
    even_p, odd_p = x1 + x2, x1 - x2
    even_q, odd_q = x3 + x4, x3 - x4
    return (
        x0 + even_p + even_q,
        _P * odd_p + _Q * odd_q,
        _P2 * even_p + _Q2 * even_q,
        _P3 * odd_p + _Q3 * odd_q + x5,
    )


@compiled
def _copy(source: Flat, start: np.uintp, target: Flat, to: np.uintp) -> None:
    for c in range(_CHUNK):
        target[to + c] = source[start + c]


@compiled
def _set_six(target: Flat, to: np.uintp, step: np.uintp, values: _Six) -> None:
    for value in values:
        target[to] = value
        to += step


@compiled
def _six(source: Flat, start: np.uintp, step: np.uintp) -> _Six:
    two, three = step + step, step + step + step
    return (
        source[start],
        source[start + step],
        source[start + two],
        source[start + three],
        source[start + two + two],
        source[start + two + three],
    )


@compiled
def _transform_column(
    image: Flat, starts: tuple[np.uintp, ...], patch: Flat, column: np.uintp
) -> None:
    """Set a column of the patch from those of the image that begin at ``starts``.

    All that a loop writes lies at constant distances: so the compiler can tell that it does not
    overlap, and vectorises the loop.
    """
    s0, s1, s2, s3, s4, s5 = starts
    for c in range(_CHUNK):
        x = (
            image[s0 + c],
            image[s1 + c],
            image[s2 + c],
            image[s3 + c],
            image[s4 + c],
            image[s5 + c],
        )
        _set_six(patch, column + c, _PATCH_ROW, _forward(x))


@compiled
def _transform_row(patch: Flat, row: np.uintp) -> None:
    for c in range(_CHUNK):
        _set_six(patch, row + c, _CHUNK, _forward(_six(patch, row + c, _CHUNK)))


@compiled
def _transform_patches(
    image: NDArray[np.float32],
    rows: Indices,
    columns: Indices,
    first: int,
    across: int,
    patches: NDArray[np.float32],
    patch: Flat,
) -> None:
    """Set [n,36,C] to ``B^T d B`` of n tiles of an image [H,W,C], from the first on."""
    count, _, channels = patches.shape
    _, width, _ = image.shape
    pixels, transformed = image.reshape(-1), patches.reshape(-1)
    for tile in range(count):
        top, left = (first + tile) // across * TILE, (first + tile) % across * TILE
        for chunk in range(0, channels, CHUNK):
            for column in range(PATCH):
                x = columns[left + column] * channels + chunk
                stride = width * channels
                starts = (
                    np.uintp(rows[top] * stride + x),
                    np.uintp(rows[top + 1] * stride + x),
                    np.uintp(rows[top + 2] * stride + x),
                    np.uintp(rows[top + 3] * stride + x),
                    np.uintp(rows[top + 4] * stride + x),
                    np.uintp(rows[top + 5] * stride + x),
                )
                _transform_column(pixels, starts, patch, np.uintp(column * CHUNK))
            for row in range(PATCH):
                _transform_row(patch, np.uintp(row * PATCH * CHUNK))
            for position in range(POSITIONS):
                to = (tile * POSITIONS + position) * channels + chunk
                _copy(patch, np.uintp(position * CHUNK), transformed, np.uintp(to))


@compiled
def _restore_column(
    products: Flat, start: np.uintp, step: np.uintp, tile: Flat, column: np.uintp
) -> None:
    """Set a column of four rows of the tile from six rows of products."""
    for c in range(_CHUNK):
        y0, y1, y2, y3 = _back(_six(products, start + c, step))
        to = column + c
        tile[to] = y0
        to += _PATCH_ROW
        tile[to] = y1
        to += _PATCH_ROW
        tile[to] = y2
        to += _PATCH_ROW
        tile[to] = y3


@compiled
def _restore_row(tile: Flat, row: np.uintp, bias: Flat, floor: np.float32) -> None:
    """Four pixels of a row of the tile, in place of its six."""
    for c in range(_CHUNK):
        y0, y1, y2, y3 = _back(_six(tile, row + c, _CHUNK))
        to = row + c
        tile[to] = max(y0 + bias[c], floor)
        to += _CHUNK
        tile[to] = max(y1 + bias[c], floor)
        to += _CHUNK
        tile[to] = max(y2 + bias[c], floor)
        to += _CHUNK
        tile[to] = max(y3 + bias[c], floor)


@compiled
def _restore_tiles(
    products: NDArray[np.float32],
    bias: Flat,
    first: int,
    across: int,
    output: NDArray[np.float32],
    patch: Flat,
    floor: np.float32,
) -> None:
    """Set n tiles of the output [h,w,O], from the first on, to ``A^T m A`` of products [n,36,O]."""
    height, width, channels = output.shape
    source, pixels = products.reshape(-1), output.reshape(-1)
    for tile in range(len(products)):
        top, left = (first + tile) // across * TILE, (first + tile) % across * TILE
        for chunk in range(0, channels, CHUNK):
            for column in range(PATCH):
                start = np.uintp((tile * POSITIONS + column) * channels + chunk)
                step = np.uintp(PATCH * channels)
                _restore_column(source, start, step, patch, np.uintp(column * CHUNK))
            for row in range(min(TILE, height - top)):
                _restore_row(patch, np.uintp(row * PATCH * CHUNK), bias[chunk:], floor)
                for column in range(min(TILE, width - left)):
                    to = ((top + row) * width + left + column) * channels + chunk
                    start = np.uintp((row * PATCH + column) * CHUNK)
                    _copy(patch, start, pixels, np.uintp(to))
