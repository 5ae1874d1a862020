"""Winograd's transforms of the tiles of an image, compiled for one thread of a CPU.

``winograd`` says what is computed. All loops run over 64 channels: a constant number, so that the
compiler vectorizes them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from spadepis.kernels.compilation import compiled

TILE = 4
PATCH = 6
POSITIONS = PATCH * PATCH
# Channels that are transformed together. Widths must be multiples of it.
CHUNK = 64

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


@compiled
def _forward(x: _Six) -> _Six:
    """``B^T x``.

    Row i of the matrix holds the coefficients of the product of (x - p) over all points p except
    the i-th; the last row, those of the product over all points.
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
    """``A^T x``, where row i of the matrix holds the i-th powers of the points."""
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
def _store_six(target: Flat, to: np.uintp, step: np.uintp, values: _Six) -> None:
    for value in values:
        target[to] = value
        to += step


@compiled
def _load_six(source: Flat, start: np.uintp, step: np.uintp) -> _Six:
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

    The six elements that a loop writes lie at constant distances, so that the compiler can tell
    that they do not overlap, and vectorizes the loop.
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
        _store_six(patch, column + c, _PATCH_ROW, _forward(x))


@compiled
def _transform_row(patch: Flat, row: np.uintp) -> None:
    for c in range(_CHUNK):
        _store_six(patch, row + c, _CHUNK, _forward(_load_six(patch, row + c, _CHUNK)))


@compiled
def transform_patches(
    image: NDArray[np.float32],
    rows: Indices,
    columns: Indices,
    first: int,
    across: int,
    patches: NDArray[np.float32],
    patch: Flat,
) -> None:
    """Compute ``B^T d B`` of n consecutive tiles of an image.

    Args:
        image: float32 [H,W,C], C a multiple of 64.
        rows: the row of the image that each row of whole patches shows.
        columns: the same for columns.
        first: number of the first tile, in reading order.
        across: how many tiles lie beside each other.
        patches: float32 [n,36,C], overwritten with the result.
        patch: float32 [36*64], overwritten.
    """
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
    """Set a column of the tile, four elements, from the six products of that column."""
    for c in range(_CHUNK):
        y0, y1, y2, y3 = _back(_load_six(products, start + c, step))
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
    """Replace the six elements of a row of the tile by its four pixels."""
    for c in range(_CHUNK):
        y0, y1, y2, y3 = _back(_load_six(tile, row + c, _CHUNK))
        to = row + c
        tile[to] = max(y0 + bias[c], floor)
        to += _CHUNK
        tile[to] = max(y1 + bias[c], floor)
        to += _CHUNK
        tile[to] = max(y2 + bias[c], floor)
        to += _CHUNK
        tile[to] = max(y3 + bias[c], floor)


@compiled
def restore_tiles(
    products: NDArray[np.float32],
    bias: Flat,
    first: int,
    across: int,
    output: NDArray[np.float32],
    patch: Flat,
    floor: np.float32,
) -> None:
    """Compute ``A^T m A`` of n consecutive tiles, and add the bias.

    Args:
        products: m, float32 [n,36,O].
        bias: float32 [O].
        first: number of the first tile, in reading order.
        across: how many tiles lie beside each other.
        output: float32 [H,W,O], whose tiles are overwritten.
        patch: float32 [36*64], overwritten.
        floor: results below it are raised to it; 0 for a ReLU.
    """
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
