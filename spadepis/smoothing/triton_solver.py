"""Conjugate gradients for the systems of a batch of images, as Triton kernels for GPUs.

An iteration is two launches for all right-hand sides of all systems. Memory traffic is the
bottleneck, and so each kernel does all that it can with the values that it loads:

- ``_multiply`` adds the last step to x, finds the next direction p = r + beta p, and q = A p.
  Neighbours' directions are found again rather than waited for, and p goes to a second buffer.
- ``_reduce`` subtracts the step from the residual: r -= alpha q.

Both leave the parts of an inner product behind, one for each program, and the next kernel adds them
up in a fixed order. There are no atomic operations: the same batch gives the same bytes on the same
card. Steps are computed where they are needed, so that the host waits for no number. Once a
right-hand side is solved its steps are 0, and a program whose right-hand sides are all solved
returns at once.
"""

from __future__ import annotations

from math import ceil

import torch
import triton
import triton.language as tl
from torch import Tensor

from spadepis.smoothing.conjugate_gradient import ConvergenceError
from spadepis.smoothing.contrast import square_of_contrast

# Pixels of a tile, one for each thread: neighbouring threads then load neighbouring pixels, however
# the stencil has shifted them.
TILE = 256
THREADS_OF_WARP = 32
# The parts of an inner product. Programs are as many for each image and right-hand side, so that a
# large image takes several tiles each.
PARTS = 128
# Iterations from one look at what is solved to the next.
CHECK_INTERVAL = 16


def conjugate_gradients(
    stencil: Tensor, width: int, b: Tensor, start: Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, Tensor]:
    """Solve A x = b for the 3K channels of K images in each of N systems.

    The host looks at what was solved ``CHECK_INTERVAL`` iterations ago, so that the device always
    has more to do.

    Args:
        stencil: the 13 planes of each A, as ``smoothing_stencil`` returns them, float32 [13, N, P].
        width: width of the images.
        b: float32 [N, 3K, P].
        start: float32 [N, 3K, P].
        tolerance: as in ``conjugate_gradient``.
        max_iterations: largest number of iterations.

    Returns:
        x, float32 [N, 3K, P], and the iterations of each right-hand side, int32 [N, 3K].

    Raises:
        ConvergenceError: ``max_iterations`` iterations did not reach the tolerance.
    """
    # The channels of a single photo may lie side by side, and the kernels count on planes.
    b, start = b.contiguous(), start.contiguous()
    systems, sides, pixels = b.shape
    tiles = ceil(pixels / (TILE * PARTS))
    parts = ceil(pixels / (TILE * tiles))
    options = {"tile_size": TILE, "part_count": PARTS, "num_warps": max(TILE // THREADS_OF_WARP, 1)}

    x = start.clone()
    q, *directions = (torch.zeros_like(b) for _ in range(3))
    iterations = torch.zeros_like(b[..., 0], dtype=torch.int32)
    # A launch reads the last of these while it writes the next.
    dots, squares = b.new_zeros(2, 2, systems, sides, PARTS)
    goals = tolerance**2 * square_of_contrast(b, dim=2).squeeze(2)

    def multiply(vectors: Tensor, new: int) -> None:
        old = 1 - new
        _multiply[sides // 3, parts, systems](
            stencil, vectors, directions[old], directions[new], q, x, goals,
            squares[old], squares[new], dots[old], dots[new], iterations,
            stencil.stride(0), pixels, width, tiles, **options,
        )  # fmt: skip

    # The squares before the first are 0, as if that were solved: then there is no last step.
    squares[0].fill_(torch.inf)
    multiply(start, new=0)
    r = b - q
    squares[0].zero_()[..., 0] = _square(r)
    iterations.zero_()

    earlier: _Look | None = None
    for iteration in range(max_iterations + 1):
        new = iteration % 2
        multiply(r, new)
        is_last = iteration == max_iterations
        if iteration % CHECK_INTERVAL == 0 or is_last:
            look = _Look(iterations, iteration)
            if (earlier is not None and earlier.is_solved()) or (is_last and look.is_solved()):
                return x, iterations
            earlier = look
        _reduce[sides, parts, systems](
            r, q, goals, squares[new], dots[new], squares[1 - new], pixels, tiles, **options
        )
    raise ConvergenceError(
        f"conjugate gradients did not reach a relative residual of {tolerance:g} "
        f"in {max_iterations} iterations"
    )


class _Look:
    """What was solved at an iteration, for the host to read when the device has got there.

    Args:
        iterations: int32, of each right-hand side; those that are not solved yet have done one more
            than ``iteration``.
        iteration: number of the iteration.
    """

    def __init__(self, iterations: Tensor, iteration: int) -> None:
        on_gpu = iterations.is_cuda
        self._iteration = iteration
        self._counts = torch.empty(iterations.shape, dtype=iterations.dtype, pin_memory=on_gpu)
        self._counts.copy_(iterations, non_blocking=True)
        self._copied = torch.cuda.Event() if on_gpu else None  # type: ignore[no-untyped-call]
        if self._copied is not None:
            self._copied.record()

    def is_solved(self) -> bool:
        if self._copied is not None:
            self._copied.synchronize()
        return bool((self._counts <= self._iteration).all())


def _square(vectors: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return norm.square()


@triton.jit
def _total(parts, part_count: tl.constexpr):
    """An inner product from its parts."""
    return tl.sum(tl.load(parts + tl.arange(0, part_count)), axis=0)


@triton.jit
def _steps(side, goals, old_squares, squares, old_dots, part_count: tl.constexpr):
    """The last step along p, what of p remains in the next direction, and what is solved."""
    goal = tl.load(goals + side)
    old_square = _total(old_squares + side * part_count, part_count)
    square = _total(squares + side * part_count, part_count)
    dot = _total(old_dots + side * part_count, part_count)
    was_solved = old_square <= goal
    alpha = tl.where(was_solved, 0.0, old_square / tl.where(was_solved, 1.0, dot))
    beta = tl.where(was_solved, 0.0, square / tl.where(was_solved, 1.0, old_square))
    return alpha, beta, was_solved, square <= goal


@triton.jit
def _direction(r, p, beta, at, inside):
    return tl.load(r + at, inside, 0.0) + beta * tl.load(p + at, inside, 0.0)


@triton.jit
def _multiply(
    stencil, r, old_p, p, q, x, goals, old_squares, squares, old_dots, dots, iterations,
    plane_stride, pixels, width, tiles, tile_size: tl.constexpr, part_count: tl.constexpr,
):  # fmt: skip
    """Do x += alpha old_p, then p = r + beta old_p, then q = A p, for the channels of one image.

    Programs are [K, parts, N].
    """
    part = tl.program_id(1)
    system = tl.program_id(2).to(tl.int64)
    side = 3 * (system * tl.num_programs(0) + tl.program_id(0))
    alpha0, beta0, was0, is0 = _steps(side, goals, old_squares, squares, old_dots, part_count)
    alpha1, beta1, was1, is1 = _steps(side + 1, goals, old_squares, squares, old_dots, part_count)
    alpha2, beta2, was2, is2 = _steps(side + 2, goals, old_squares, squares, old_dots, part_count)
    if was0 & was1 & was2 & is0 & is1 & is2:
        return
    if part == 0:
        tl.store(iterations + side, tl.load(iterations + side) + tl.where(is0, 0, 1))
        tl.store(iterations + side + 1, tl.load(iterations + side + 1) + tl.where(is1, 0, 1))
        tl.store(iterations + side + 2, tl.load(iterations + side + 2) + tl.where(is2, 0, 1))

    stencil += system * pixels
    first, second, third = side * pixels, (side + 1) * pixels, (side + 2) * pixels
    dot0 = tl.zeros([tile_size], tl.float32)
    dot1 = tl.zeros([tile_size], tl.float32)
    dot2 = tl.zeros([tile_size], tl.float32)
    for tile in range(tiles):
        i = (part * tiles + tile) * tile_size + tl.arange(0, tile_size)
        inside = i < pixels
        p0 = _direction(r + first, old_p + first, beta0, i, inside)
        p1 = _direction(r + second, old_p + second, beta1, i, inside)
        p2 = _direction(r + third, old_p + third, beta2, i, inside)
        weight = tl.load(stencil + i, inside, 0.0)
        q0, q1, q2 = weight * p0, weight * p1, weight * p2
        weights = stencil
        for plane in range(1, 13):
            weights += plane_stride
            # As in OFFSETS.
            offset = (plane + 2) // 5 * width + (plane + 2) % 5 - 2
            for way in tl.static_range(2):
                at = i + offset if way == 0 else i - offset
                both = inside & (at >= 0) & (at < pixels)
                # The matrix is symmetric: A[i, i - offset] = A[i - offset, i].
                weight = tl.load(weights + (i if way == 0 else at), both, 0.0)
                q0 += weight * _direction(r + first, old_p + first, beta0, at, both)
                q1 += weight * _direction(r + second, old_p + second, beta1, at, both)
                q2 += weight * _direction(r + third, old_p + third, beta2, at, both)
        _step(x + first, old_p + first, alpha0, i, inside)
        _step(x + second, old_p + second, alpha1, i, inside)
        _step(x + third, old_p + third, alpha2, i, inside)
        tl.store(p + first + i, p0, inside)
        tl.store(p + second + i, p1, inside)
        tl.store(p + third + i, p2, inside)
        tl.store(q + first + i, q0, inside)
        tl.store(q + second + i, q1, inside)
        tl.store(q + third + i, q2, inside)
        dot0 += p0 * q0
        dot1 += p1 * q1
        dot2 += p2 * q2
    tl.store(dots + side * part_count + part, tl.sum(dot0, axis=0))
    tl.store(dots + (side + 1) * part_count + part, tl.sum(dot1, axis=0))
    tl.store(dots + (side + 2) * part_count + part, tl.sum(dot2, axis=0))


@triton.jit
def _step(x, p, alpha, i, inside):
    tl.store(x + i, tl.load(x + i, inside, 0.0) + alpha * tl.load(p + i, inside, 0.0), inside)


@triton.jit
def _reduce(
    r,
    q,
    goals,
    squares,
    dots,
    new_squares,
    pixels,
    tiles,
    tile_size: tl.constexpr,
    part_count: tl.constexpr,
):
    """Do r -= alpha q for one channel. Programs are [3K, parts, N]."""
    part = tl.program_id(1)
    side = tl.program_id(2).to(tl.int64) * tl.num_programs(0) + tl.program_id(0)
    square = _total(squares + side * part_count, part_count)
    if square <= tl.load(goals + side):
        own = side * part_count + part
        tl.store(new_squares + own, tl.load(squares + own))
        return
    alpha = square / _total(dots + side * part_count, part_count)
    r += side * pixels
    q += side * pixels
    squared = tl.zeros([tile_size], tl.float32)
    for tile in range(tiles):
        i = (part * tiles + tile) * tile_size + tl.arange(0, tile_size)
        inside = i < pixels
        reduced = tl.load(r + i, inside, 0.0) - alpha * tl.load(q + i, inside, 0.0)
        tl.store(r + i, reduced, inside)
        squared += reduced * reduced
    tl.store(new_squares + side * part_count + part, tl.sum(squared, axis=0))
