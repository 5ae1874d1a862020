"""Conjugate gradients (Hestenes and Stiefel, 1952) for a symmetric 5x5 stencil on an image.

The matrix is given as 13 planes: plane k at pixel i holds A[i, i + offset k], where the offsets are
those of ``matting_affinity.OFFSETS``; the other half follows from symmetry. Planes and vectors are
laid out in ``bands``, so that offsets are multiples of 16 and, thanks to the margins, no kernel has
a border case. An offset that leaves the image sideways leads to a pixel of the next row, with
coefficient 0.

Everything is stored in float32. Sums are taken in float32 within a block of elements and in float64
over the blocks.
"""

import math

import numpy as np
from numpy.typing import NDArray

from spadepis.kernels.compilation import compiled
from spadepis.smoothing.bands import BANDS, Plane, margin, zeros
from spadepis.smoothing.contrast import SMALLEST_CONTRAST

BLOCK = 2048

Stencil = tuple[Plane, ...]


class ConvergenceError(RuntimeError):
    """Conjugate gradients did not reach the tolerance in the iterations allowed."""


def conjugate_gradients(
    stencil: Stencil,
    width: int,
    b: Plane,
    x: Plane,
    tolerance: float,
    max_iterations: int,
) -> int:
    """Solve A x = b for three right-hand sides at once.

    Args:
        stencil: A, symmetric and positive definite: 13 planes in ``bands``, float32 [N] each.
        width: width of the image.
        b: in ``bands``, float32 [3, N]. Overwritten with the residual, except in the margins.
        x: in ``bands``, float32 [3, N], the initial guess. Overwritten with the solution, except in
            the margins.
        tolerance: the iteration stops when |b - A x| <= tolerance |b - mean of b| for each
            right-hand side; see ``contrast``.
        max_iterations: largest number of iterations.

    Returns:
        The number of iterations done.

    Raises:
        ConvergenceError: ``max_iterations`` iterations did not reach the tolerance.
    """
    edge = BANDS * margin(width)
    inner = b[:, edge:-edge].astype(np.float64)
    square = (inner**2).sum(axis=1)
    # The last band may end in elements that are no pixels.
    pixels = np.count_nonzero(stencil[0][edge:-edge])
    contrast = square - inner.sum(axis=1) ** 2 / pixels
    goal = tolerance**2 * np.maximum(contrast, SMALLEST_CONTRAST**2 * square)
    blocks = math.ceil((x.shape[1] - 2 * edge) / BLOCK)
    p, q = zeros(*x.shape), zeros(blocks, 3 * BLOCK)
    iterations: int = _iterate(stencil, BANDS * width, edge, b, x, p, q, goal, max_iterations)
    if iterations > max_iterations:
        raise ConvergenceError(
            f"conjugate gradients did not reach a relative residual of {tolerance:g} "
            f"in {max_iterations} iterations"
        )
    return iterations


@compiled
def _pair(plane: Plane, x: Plane, i: np.uintp, offset: np.uintp) -> np.float32:
    pair: np.float32 = plane[i] * x[i + offset] + plane[i - offset] * x[i - offset]
    return pair


@compiled
def _product(stencil: Stencil, x: Plane, i: np.uintp, w: np.uintp) -> np.float32:
    """Entry i of A x; w is the distance between pixels of one column."""
    one = np.uintp(BANDS)
    two = np.uintp(2 * BANDS)
    product: np.float32 = (
        stencil[0][i] * x[i]
        + _pair(stencil[1], x, i, one)
        + _pair(stencil[2], x, i, two)
        + _pair(stencil[3], x, i, w - two)
        + _pair(stencil[4], x, i, w - one)
        + _pair(stencil[5], x, i, w)
        + _pair(stencil[6], x, i, w + one)
        + _pair(stencil[7], x, i, w + two)
        + _pair(stencil[8], x, i, w + w - two)
        + _pair(stencil[9], x, i, w + w - one)
        + _pair(stencil[10], x, i, w + w)
        + _pair(stencil[11], x, i, w + w + one)
        + _pair(stencil[12], x, i, w + w + two)
    )
    return product


@compiled
def _multiply(
    stencil: Stencil, width: int, p: Plane, q: Plane, start: int, stop: int
) -> tuple[np.float32, np.float32, np.float32]:
    """Set q = A p from pixel start to stop, at most BLOCK of them; returns p . q of that block.

    The three rows of q lie BLOCK apart. Because this distance is constant, the compiler can tell
    that they do not overlap, and vectorizes the loop.
    """
    p0, p1, p2 = p[0], p[1], p[2]
    w = np.uintp(width)
    row = np.uintp(BLOCK)
    first = np.uintp(start)
    dot0 = dot1 = dot2 = np.float32(0)
    for j in range(np.uintp(stop - start)):
        i = first + j
        q0 = _product(stencil, p0, i, w)
        q1 = _product(stencil, p1, i, w)
        q2 = _product(stencil, p2, i, w)
        q[j] = q0
        q[j + row] = q1
        q[j + row + row] = q2
        dot0 += p0[i] * q0
        dot1 += p1[i] * q1
        dot2 += p2[i] * q2
    return dot0, dot1, dot2


@compiled
def _advance(
    x: Plane, p: Plane, r: Plane, alpha: np.float32, beta: np.float32, start: int, stop: int
) -> None:
    """Set x += alpha p, then p = r + beta p."""
    for i in range(np.uintp(start), np.uintp(stop)):
        x[i] += alpha * p[i]
        p[i] = r[i] + beta * p[i]


@compiled
def _reduce(r: Plane, q: Plane, alpha: np.float32, start: int, stop: int) -> np.float32:
    """Set r -= alpha q; returns r . r of that block."""
    first = np.uintp(start)
    square = np.float32(0)
    for j in range(np.uintp(stop - start)):
        reduced = r[first + j] - alpha * q[j]
        r[first + j] = reduced
        square += reduced * reduced
    return square


@compiled
def _fill_margins(p: Plane, edge: int) -> None:
    """Give each band the end of the one before it and the beginning of the one after it."""
    end = p.size - edge
    p[1:edge] = p[end - edge : end - 1]
    p[:edge:BANDS] = 0
    p[end:-1] = p[edge + 1 : 2 * edge]
    p[end + BANDS - 1 :: BANDS] = 0


@compiled
def _iterate(
    stencil: Stencil,
    width: int,
    edge: int,
    r: Plane,
    x: Plane,
    p: Plane,
    q: Plane,
    goal: NDArray[np.float64],
    max_iterations: int,
) -> int:
    """Return the number of iterations done, or max_iterations + 1 if they were not enough.

    The directions p start at 0; q has a row for each block and holds A p.
    """
    end = x.shape[1] - edge
    blocks = q.shape[0]
    alpha = np.zeros(3)
    beta = np.zeros(3)
    squares = np.zeros(3)
    for block in range(blocks):
        start = edge + block * BLOCK
        stop = min(start + BLOCK, end)
        _multiply(stencil, width, x, q[block], start, stop)
        for c in range(3):
            squares[c] += _reduce(r[c], q[block, c * BLOCK :], np.float32(1), start, stop)

    for iteration in range(max_iterations + 1):
        # x lags a step behind, so that it is updated in the same pass as p.
        for c in range(3):
            _advance(x[c], p[c], r[c], np.float32(alpha[c]), np.float32(beta[c]), edge, end)
        if np.all(squares <= goal):
            return iteration
        for c in range(3):
            _fill_margins(p[c], edge)

        dots = np.zeros(3)
        for block in range(blocks):
            start = edge + block * BLOCK
            stop = min(start + BLOCK, end)
            dots += np.array(_multiply(stencil, width, p, q[block], start, stop))

        previous = squares
        # A right-hand side whose residual has come to zero has p = 0 and stays as it is.
        alpha = np.where(dots > 0, previous / dots, 0.0)
        squares = np.zeros(3)
        for block in range(blocks):
            start = edge + block * BLOCK
            stop = min(start + BLOCK, end)
            for c in range(3):
                squares[c] += _reduce(
                    r[c], q[block, c * BLOCK :], np.float32(alpha[c]), start, stop
                )
        beta = np.where(previous > 0, squares / previous, 0.0)
    return max_iterations + 1
