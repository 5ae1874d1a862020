"""Roots of covariances for whitening and colouring, in one way for CPUs and one for GPUs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Eigenvalues of a style's covariance below this are dropped, as published.
SMALLEST_STYLE_EIGENVALUE = 1e-5

# Larger scales would bring the largest singular values too close to 0 (Chen and Chow, section 3).
LARGEST_SCALE = 1.69770248526
# That of a factor with a Frobenius norm of 1, for up to 560 channels in float32.
SMALLEST_SINGULAR_VALUE = 1e-4
STEPS = 14
# How far the polar factor may be from an orthogonal matrix (Frobenius norm); usually 1e-6 to 1e-4.
LARGEST_RESIDUAL = 1e-2


def whitening_matrix(covariance: Tensor) -> Tensor:
    """``E diag((lambda + 1)^-1/2) E^T`` of covariances [...,C,C] (Li et al., section 3.1).

    As in the published code the identity is added first, so no eigenvalue is below 1. On CUDA, a
    matrix for which the method fails is NaN, except in float64.
    """
    if _takes_polar_factor(covariance):
        return inverse_root_by_polar_factor(covariance, added=1)
    # Not every other device can find eigenvalues, or computes in float64. The condition of real
    # covariances reaches 1e7, of which float32 would leave nothing.
    exact = covariance.cpu().double()
    identity = torch.eye(covariance.shape[-1], dtype=exact.dtype)
    return inverse_root_by_eigenvalues(exact + identity).to(covariance)


def colouring_matrix(covariance: Tensor) -> Tensor:
    """``E diag(sqrt(lambda)) E^T`` of covariances [...,C,C] (Li et al., section 3.1).

    Eigenvalues that are smaller than 1e-5, or on CUDA smaller than rounding errors, count little or
    nothing. On CUDA, a matrix for which the method fails is NaN. In float64 it is as on a CPU.
    """
    if _takes_polar_factor(covariance):
        # Eigenvalues far above what is added keep their root, those far below it come near 0.
        return covariance @ inverse_root_by_polar_factor(covariance, SMALLEST_STYLE_EIGENVALUE)
    # In float32 the threshold is lost in rounding beside large eigenvalues, and now and then eigh
    # gives NaN for channels that are zero everywhere (MKL 2024.2 reads uninitialized memory).
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance.cpu().double())
    roots = torch.where(
        eigenvalues >= SMALLEST_STYLE_EIGENVALUE, eigenvalues.clamp(min=0).sqrt(), 0
    )
    colouring: Tensor = (eigenvectors * roots.unsqueeze(-2)) @ eigenvectors.mT
    return colouring.to(covariance)


def _takes_polar_factor(covariance: Tensor) -> bool:
    """Whether roots are found without eigenvalues, for which a GPU would be held up.

    In float64, which is for comparisons, they are exact.
    """
    return covariance.is_cuda and covariance.dtype != torch.float64


def inverse_root_by_eigenvalues(matrices: Tensor) -> Tensor:
    """``E diag(lambda^-1/2) E^T`` of matrices [...,C,C] without eigenvalues below 1."""
    eigenvalues, eigenvectors = torch.linalg.eigh(matrices)
    # In float32 rounding may push the smallest below 1, even below 0, beside a very large one.
    roots = eigenvalues.clamp(min=1).rsqrt().unsqueeze(-2)
    inverse: Tensor = (eigenvectors * roots) @ eigenvectors.mT
    return inverse


def inverse_root_by_polar_factor(covariance: Tensor, added: float) -> Tensor:
    """Inverse roots of covariances [...,C,C] plus ``added`` times the identity.

    It takes a factorization, matrix products and a triangular solve, for which the host never
    waits. With M = L L^T and the polar decomposition L = H Q, the inverse root is H^-1 = Q L^-1. As
    the condition of L is the root of that of M, float32 suffices (docs/mathematics.md).

    So that M has a factor in spite of rounding, at least two units in the last place of the norm of
    the covariance are added. A matrix for which the method fails nevertheless is NaN.
    """
    channels = covariance.shape[-1]
    matrices = covariance.reshape(-1, channels, channels)
    identity = torch.eye(channels, dtype=matrices.dtype, device=matrices.device)
    rounding = 2 * torch.finfo(matrices.dtype).eps
    added_to_each = (_norm(matrices) * rounding).clamp(min=added)
    lower, failed = torch.linalg.cholesky_ex(torch.addcmul(matrices, added_to_each, identity))
    polar = _polar_factor(lower / _norm(lower))
    inverse = torch.linalg.solve_triangular(lower, polar, upper=False, left=False)
    residual = _norm(torch.baddbmm(identity, polar.mT, polar, beta=-1)) + failed[:, None, None]
    symmetric = torch.lerp(inverse, inverse.mT, 0.5)
    return torch.where(residual <= LARGEST_RESIDUAL, symmetric, torch.nan).view_as(covariance)


def _norm(matrices: Tensor) -> Tensor:
    """Frobenius norms [N,1,1] of matrices [N,C,C]."""
    norms: Tensor = torch.linalg.vector_norm(matrices, dim=(-2, -1), keepdim=True)
    return norms


def _polar_factor(matrices: Tensor) -> Tensor:
    """Orthogonal polar factors of matrices [N,C,C] with singular values in [1e-4,1].

    The scaled Newton-Schulz iteration of Chen and Chow, "A stable scaling of Newton-Schulz for
    improving the sign function computation of a Hermitian matrix", Argonne preprint, 2014.
    """
    smallest = SMALLEST_SINGULAR_VALUE
    for _ in range(STEPS):
        scale = min(math.sqrt(3 / (1 + smallest + smallest**2)), LARGEST_SCALE)
        linear, cubic = 1.5 * scale, -0.5 * scale**3
        gram = matrices.mT @ matrices
        matrices = torch.baddbmm(matrices, matrices, gram, beta=linear, alpha=cubic)
        smallest = min(linear * smallest + cubic * smallest**3, linear + cubic)
    return matrices
