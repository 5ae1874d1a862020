"""Numbering what repeats itself in an image, compiled for one thread of a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spadepis.kernels.compilation import compiled_as_written

Integers = NDArray[np.integer[Any]]
Numbers = NDArray[np.int32]
Index = int | np.integer[Any]

# Odd, and without a pattern: the 64-bit golden ratio and the constants of MurmurHash3.
_FACTORS = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xFF51AFD7ED558CCD),
    np.uint64(0xC4CEB9FE1A85EC53),
    np.uint64(0xBF58476D1CE4E5B9),
)
_HALF = np.uint64(32)


def number_quadruples(
    a: Integers, b: Integers, c: Integers, d: Integers
) -> tuple[Numbers, NDArray[np.int64]]:
    """Number the distinct quadruples of the entries of four arrays, in order of appearance.

    Args:
        a: integers [h,w].
        b: the second entry of each quadruple, of the same shape and type.
        c: the third.
        d: the fourth.

    Returns:
        The number of each quadruple, int32 [h,w], and where each number appears first, as an
        index into the flattened array, int64 [U].
    """
    slots = 1 << (2 * a.size - 1).bit_length()
    numbers, first, count = _number(a, b, c, d, np.zeros(slots, np.int32))
    return numbers, first[:count]


@compiled_as_written
def rows_of_windows(
    values: Integers, corners: NDArray[np.int64], width: int, factor: int, step: int, first: int
) -> Numbers:
    """For 3x3 windows, ``first + factor * value + step * position`` of their entries.

    Args:
        values: integers [h,w].
        corners: where each window begins, as an index into all windows in reading order, [n].
        width: how many windows lie beside each other.
        factor: multiplies each value.
        step: multiplies its position in the window, 0 to 8 in reading order.
        first: is added.

    Returns:
        int32 [n,9], in reading order.
    """
    rows = np.empty((corners.size, 9), np.int32)
    for n in range(corners.size):
        y, x = corners[n] // width, corners[n] % width
        for i in range(3):
            for j in range(3):
                position = 3 * i + j
                rows[n, position] = first + factor * values[y + i, x + j] + step * position
    return rows


@compiled_as_written
def _number(
    a: Integers, b: Integers, c: Integers, d: Integers, table: Numbers
) -> tuple[Numbers, NDArray[np.int64], int]:
    """The same with a hash table: a power of two of zeros, more than there are entries.

    Also returns how many entries of the second array are used.
    """
    height, width = a.shape
    numbers = np.empty(a.shape, np.int32)
    first = np.empty(a.size, np.int64)
    keys = np.empty((a.size, 4), a.dtype)
    mask = np.uint64(table.size - 1)
    count = 0
    number = np.int32(-1)
    for y in range(height):
        for x in range(width):
            key = a[y, x], b[y, x], c[y, x], d[y, x]
            # In flat areas a pixel is what the one before it is.
            if number < 0 or not _equal(keys, number, key):
                slot = _hash(key) & mask
                while table[slot] > 0 and not _equal(keys, table[slot] - 1, key):
                    slot = (slot + np.uint64(1)) & mask
                if table[slot] == 0:
                    for i in range(4):
                        keys[count, i] = key[i]
                    first[count] = y * width + x
                    count += 1
                    table[slot] = count
                number = np.int32(table[slot] - 1)
            numbers[y, x] = number
    return numbers, first, count


@compiled_as_written
def _equal(keys: Integers, number: Index, key: tuple[int, int, int, int]) -> bool:
    return bool(
        keys[number, 0] == key[0]
        and keys[number, 1] == key[1]
        and keys[number, 2] == key[2]
        and keys[number, 3] == key[3]
    )


@compiled_as_written
def _hash(key: tuple[int, int, int, int]) -> np.uint64:
    mixed = np.uint64(0)
    for i in range(4):
        mixed = (mixed ^ np.uint64(key[i])) * _FACTORS[i]
        mixed ^= mixed >> _HALF
    return mixed
