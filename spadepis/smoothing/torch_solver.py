"""Closed-form smoothing of a batch of images with PyTorch, on a GPU or any other device.

``closed_form`` says what is solved. On GPUs where Triton works, ``triton_affinity`` assembles it
and ``triton_solver`` solves it. Here, for all others, the systems of N contents are one sparse
block-diagonal matrix, and one product with it serves the 3K channels of the K stylized photos of
every content. Memory traffic is the bottleneck of the solver: the product of a sparse with a dense
matrix reads the matrix and each vector about once, whereas sums of shifted planes would read and
write every vector 25 times.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from spadepis.kernels.triton_driver import runs_triton
from spadepis.smoothing.closed_form import MAX_ITERATIONS, PADDING, TOLERANCE
from spadepis.smoothing.conjugate_gradient import ConvergenceError
from spadepis.smoothing.contrast import square_of_contrast
from spadepis.smoothing.torch_affinity import smoothing_stencil, sparse_matrix

# Iterations between checks for convergence: each check waits until the GPU has nothing left to do.
CHECK_INTERVAL = 16


def smooth_batch(
    contents: Tensor, stylized: Tensor, beta: float = 0.9999, epsilon: float = 1e-7
) -> Tensor:
    """Smooth K stylized photos of each of N contents like ``smooth``, on the device of the tensors.

    Args:
        contents: [N, H, W, 3], uint8 or floating-point in [0, 1].
        stylized: Y, [N, K, H, W, 3], uint8 or floating-point in [0, 1], on the same device.
        beta: weight of the content's affinity against fidelity to Y, at least 0 and below 1.
        epsilon: regularisation of the colour covariance in a window, above 0.

    Returns:
        float32 [N, K, H, W, 3], clipped to [0, 1].

    Raises:
        ValueError: the shapes do not fit, an image is empty, a dtype is not allowed, a value is not
            finite, or beta or epsilon is out of range.
        ConvergenceError: the solver does not reach the tolerance.
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be at least 0 and below 1, got {beta}")
    if not epsilon > 0:
        raise ValueError(f"epsilon must be above 0, got {epsilon}")
    if (
        contents.ndim != 4
        or stylized.ndim != 5
        or contents.shape[3] != 3
        or contents.shape != stylized.shape[:1] + stylized.shape[2:]
        or 0 in contents.shape[1:]
    ):
        raise ValueError(
            "contents must be [N, H, W, 3] and stylized [N, K, H, W, 3], not empty, "
            f"got shapes {list(contents.shape)} and {list(stylized.shape)}"
        )
    contents = _in_unit_range(contents, "contents", torch.float64)
    stylized = _in_unit_range(stylized, "stylized", torch.float32)
    images, styles = stylized.shape[:2]
    if images * styles == 0:
        return stylized
    guides = _replicate_border(contents)
    height, width = guides.shape[1:3]
    # The planes of an image with its border are contiguous.
    y = _replicate_border(stylized.flatten(0, 1)).permute(0, 3, 1, 2)
    y = y.reshape(images, 3 * styles, height * width)
    x, _ = solve(assemble(guides, beta, epsilon), width, y * (1 - beta), y)
    smoothed = x.view(images, styles, 3, height, width)
    inside = slice(PADDING, -PADDING)
    return smoothed[..., inside, inside].permute(0, 1, 3, 4, 2).clamp(0, 1)


def assemble(contents: Tensor, beta: float, epsilon: float) -> Tensor:
    """The matrices A of N contents, as planes of a stencil.

    Args:
        contents: float64 [N, H, W, 3] in [0, 1].
        beta: weight of the content's affinity, at least 0 and below 1.
        epsilon: regularisation of the colour covariance in a window, above 0.

    Returns:
        float32 [13, N, H*W].
    """
    if not runs_triton(contents.device):
        return smoothing_stencil(contents, beta, epsilon)
    from spadepis.smoothing import triton_affinity

    with torch.cuda.device_of(contents):  # type: ignore[no-untyped-call]
        return triton_affinity.smoothing_stencil(contents, beta, epsilon)


def solve(stencil: Tensor, width: int, b: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Solve A x = b for the 3K channels of K images in each of N systems.

    Args:
        stencil: the 13 planes of each A, float32 [13, N, P], as ``assemble`` returns them.
        width: width of the images.
        b: float32 [N, 3K, P].
        start: float32 [N, 3K, P].

    Returns:
        x, float32 [N, 3K, P], and the iterations of each right-hand side, int32 [N, 3K].

    Raises:
        ConvergenceError: the solver does not reach the tolerance.
    """
    if runs_triton(b.device):
        from spadepis.smoothing import triton_solver

        with torch.cuda.device_of(b):  # type: ignore[no-untyped-call]
            return triton_solver.conjugate_gradients(
                stencil, width, b, start, TOLERANCE, MAX_ITERATIONS
            )
    # The channels of a pixel lie together, so that a product reads them as one.
    b, start = (vectors.mT.contiguous() for vectors in (b, start))
    matrix = sparse_matrix(stencil, width)
    x, iterations = conjugate_gradients(matrix, b, start, TOLERANCE, MAX_ITERATIONS)
    return x.mT, iterations


def conjugate_gradients(
    matrix: Tensor, b: Tensor, start: Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, Tensor]:
    """Solve A x = b for R right-hand sides of each of N systems.

    A right-hand side that is solved stays as it is while the others continue. The host waits for
    the device once in ``CHECK_INTERVAL`` iterations.

    Args:
        matrix: A of all systems, as ``sparse_matrix`` returns it: each block symmetric and
            positive definite.
        b: float32 [N, P, R].
        start: float32 [N, P, R].
        tolerance: as in ``conjugate_gradient``.
        max_iterations: largest number of iterations.

    Returns:
        x, float32 [N, P, R], and the iterations of each right-hand side, int32 [N, R].

    Raises:
        ConvergenceError: ``max_iterations`` iterations did not reach the tolerance.
    """
    edge = (matrix.shape[1] - matrix.shape[0]) // 2
    with_margin = b.new_zeros(matrix.shape[1], b.shape[2])
    p = with_margin[edge : edge + matrix.shape[0]].view(b.shape)
    p.copy_(start)
    x = start.clone()
    r = b - (matrix @ with_margin).view(b.shape)
    p.copy_(r)
    goal = tolerance**2 * square_of_contrast(b, dim=1)
    square = _square(r)
    iterations = torch.zeros_like(goal, dtype=torch.int32)
    for iteration in range(max_iterations + 1):
        solved = square <= goal
        if (iteration % CHECK_INTERVAL == 0 or iteration == max_iterations) and solved.all():
            return x, iterations.squeeze(1)
        iterations += ~solved
        q = (matrix @ with_margin).view(b.shape)
        alpha = torch.where(solved, 0, square / (p * q).sum(dim=1, keepdim=True))
        x.addcmul_(p, alpha)
        r.addcmul_(q, alpha, value=-1)
        previous, square = square, _square(r)
        beta = torch.where(solved, 0, square / previous)
        torch.addcmul(r, p, beta, out=p)
    raise ConvergenceError(
        f"conjugate gradients did not reach a relative residual of {tolerance:g} "
        f"in {max_iterations} iterations"
    )


def _square(vectors: Tensor) -> Tensor:
    """|v|^2 of each vector of [N,P,R], as [N,1,R]."""
    norm: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return norm.square()


def _in_unit_range(images: Tensor, name: str, dtype: torch.dtype) -> Tensor:
    if images.dtype == torch.uint8:
        return images.to(dtype) / 255
    if not images.is_floating_point():
        raise ValueError(f"{name} must be uint8 or floating-point, got {images.dtype}")
    if not images.isfinite().all():
        raise ValueError(f"{name} has values that are not finite")
    return images.to(dtype)


def _replicate_border(images: Tensor) -> Tensor:
    """[N, H, W, 3] extended by ``PADDING`` on each side."""
    sides = (PADDING,) * 4
    return pad(images.permute(0, 3, 1, 2), sides, mode="replicate").permute(0, 2, 3, 1)
