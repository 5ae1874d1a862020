"""The inverse square root of symmetric matrices, in one way for CPUs and one for GPUs."""

from __future__ import annotations

import torch
from torch import Tensor

# Each of the first ones brings eigenvalues closer to the largest by a factor of 2.25, up to a
# condition number of 1e9; the last few converge quadratically.
NEWTON_SCHULZ_STEPS = 32


def inverse_root(matrices: Tensor) -> Tensor:
    """Symmetric inverse square roots of symmetric matrices [...,C,C] with no eigenvalue below 1."""
    if matrices.is_cuda:
        return inverse_root_by_newton_schulz(matrices)
    # Not every other device can find eigenvalues, or computes in float64.
    return inverse_root_by_eigenvalues(matrices.cpu()).to(matrices.device)


def inverse_root_by_eigenvalues(matrices: Tensor) -> Tensor:
    """``E diag(lambda^-1/2) E^T``, as in Li et al., section 3.1."""
    eigenvalues, eigenvectors = torch.linalg.eigh(matrices)
    # In float32 rounding may push the smallest below 1, even below 0, beside a very large one.
    roots = eigenvalues.clamp(min=1).rsqrt().unsqueeze(-2)
    inverse: Tensor = (eigenvectors * roots) @ eigenvectors.mT
    return inverse


def inverse_root_by_newton_schulz(matrices: Tensor) -> Tensor:
    """The same by matrix products alone, which a GPU does without asking the host in between.

    The coupled iteration of Higham, "Functions of Matrices", SIAM 2008, eq. 6.35, in float64.
    """
    trace = matrices.diagonal(dim1=-2, dim2=-1).sum(dim=-1).double()[..., None, None]
    identity = torch.eye(matrices.shape[-1], dtype=torch.float64, device=matrices.device)
    root = matrices.double() / trace
    inverse = identity.expand_as(root)
    for _ in range(NEWTON_SCHULZ_STEPS):
        step = 1.5 * identity - 0.5 * (inverse @ root)
        root, inverse = root @ step, step @ inverse
    scaled: Tensor = inverse * trace.rsqrt()
    return scaled.to(matrices.dtype)
