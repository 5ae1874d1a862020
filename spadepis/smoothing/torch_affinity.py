"""The smoothing systems of a batch of contents, assembled with PyTorch on any device.

They are the matrices of ``closed_form``: as the planes of a stencil, or as one sparse
block-diagonal matrix whose rows hold the 25 entries of the 5x5 stencil.
"""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.smoothing.bands import margin
from spadepis.smoothing.matting_affinity import OFFSETS


def smoothing_stencil(contents: Tensor, beta: float, epsilon: float) -> Tensor:
    """The matrices A of all contents, as planes of a symmetric 5x5 stencil.

    They are assembled in float64 and stored in float32.

    Args:
        contents: float64 [N, H, W, 3] in [0, 1].
        beta: weight of the content's affinity, at least 0 and below 1.
        epsilon: regularisation of the colour covariance in a window, above 0.

    Returns:
        float32 [13, N, H*W], planes in the order of ``OFFSETS``.
    """
    images, height, width, _ = contents.shape
    counts = _window_counts(height, contents)[:, None] * _window_counts(width, contents)
    # Pixels in no window have affinity 0, so that any value serves as their root.
    roots = counts.clamp(min=1).rsqrt()
    padded = F.pad(roots, (2, 2, 0, 2))
    neighbours = [
        padded[rows : rows + height, 2 + columns : 2 + columns + width] for rows, columns in OFFSETS
    ]
    laplacian = matting_affinity(contents, epsilon).neg_()
    laplacian[0].add_(counts)
    laplacian *= (beta * roots * torch.stack(neighbours))[:, None]
    laplacian[0].add_(1 - beta)
    return laplacian.float().view(len(OFFSETS), images, height * width)


def sparse_matrix(stencil: Tensor, width: int) -> Tensor:
    """The matrices A of all contents, as one.

    A vector that it multiplies has ``margin(width)`` zeros before the first and after the last of
    the N*P pixels, so that each row has 25 entries: an offset that leaves the image leads to
    another pixel or a zero, with coefficient 0.

    Args:
        stencil: float32 [13, N, P], as ``smoothing_stencil`` returns it.
        width: width of the images.

    Returns:
        Sparse CSR, float32 [N*P, N*P + 2*margin(width)].
    """
    _, images, pixels = stencil.shape
    device = stencil.device
    rows = images * pixels
    edge = margin(width)
    around = torch.arange(-2, 3, dtype=torch.int32, device=device)
    offsets = (width * around[:, None] + around).flatten()
    # 32 bits suffice for 1000 images of 256x256, and halve the traffic of the indices.
    columns = torch.arange(rows, dtype=torch.int32, device=device)[:, None] + (edge + offsets)
    with warnings.catch_warnings():
        # PyTorch calls CSR tensors beta; only their product with a dense matrix is used here.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            torch.arange(0, 25 * rows + 1, 25, dtype=torch.int32, device=device),
            columns.flatten(),
            _entries(stencil, width).flatten(),
            (rows, rows + 2 * edge),
            check_invariants=False,
        )


def matting_affinity(contents: Tensor, epsilon: float) -> Tensor:
    """Matting affinity of a batch of images; see ``matting_affinity.matting_affinity``.

    Args:
        contents: float64 [N, H, W, 3] in [0, 1].
        epsilon: regularisation of the colour covariance, above 0.

    Returns:
        float64 [13, N, H, W], planes in the order of ``OFFSETS``.
    """
    images, height, width, _ = contents.shape
    planes = contents.new_zeros(len(OFFSETS), images, height, width)
    if min(height, width) < 3:
        return planes
    windows = [
        (slice(row, height - 2 + row), slice(column, width - 2 + column))
        for row in range(3)
        for column in range(3)
    ]
    colours = torch.stack([contents[:, rows, columns] for rows, columns in windows])
    whitened = _whiten(colours, epsilon)
    # The product of two of these is a term of the affinity.
    terms = F.pad(whitened, (0, 1), value=1.0).div_(3)
    for i, (rows, columns) in enumerate(windows):
        for j in range(i, 9):
            plane = 5 * (j // 3 - i // 3) + j % 3 - i % 3
            # Not +=, which copies the sum onto itself.
            planes[plane, :, rows, columns].add_(torch.linalg.vecdot(terms[i], terms[j]))
    return planes


def _window_counts(size: int, like: Tensor) -> Tensor:
    """How many windows hold each row or column, as ``matting_affinity.window_counts`` has it."""
    i = torch.arange(size, dtype=like.dtype, device=like.device)
    return (i.clamp(max=size - 3) - (i - 2).clamp(min=0) + 1).clamp(min=0)


def _whiten(colours: Tensor, epsilon: float) -> Tensor:
    """G^-1 (I_i - mu) of the colours [9,N,h,w,3] of each window, with G G^T = C + epsilon/9 Id."""
    centred = colours - colours.mean(dim=0)
    covariance = torch.einsum("inyxc,inyxd->nyxcd", centred, centred) / 9
    # Written out, because batched factorisations of 3x3 matrices are slow on most devices.
    g00 = (covariance[..., 0, 0] + epsilon / 9).sqrt()
    g10 = covariance[..., 1, 0] / g00
    g20 = covariance[..., 2, 0] / g00
    g11 = (covariance[..., 1, 1] + epsilon / 9 - g10 * g10).sqrt()
    g21 = (covariance[..., 2, 1] - g20 * g10) / g11
    g22 = (covariance[..., 2, 2] + epsilon / 9 - g20 * g20 - g21 * g21).sqrt()
    red = centred[..., 0] / g00
    green = (centred[..., 1] - g10 * red) / g11
    blue = (centred[..., 2] - g20 * red - g21 * green) / g22
    return torch.stack([red, green, blue], dim=-1)


def _entries(stencil: Tensor, width: int) -> Tensor:
    """The 25 entries of each row of a symmetric stencil [13,N,P], as [N,P,25]."""
    _, images, pixels = stencil.shape
    entries = stencil.new_zeros(images, pixels, 25)
    entries[..., 12:] = stencil.permute(1, 2, 0)
    for k, (rows, columns) in enumerate(OFFSETS[1:], start=1):
        # A[i, i - offset] = A[i - offset, i].
        offset = rows * width + columns
        entries[:, offset:, 12 - k] = stencil[k, :, : max(pixels - offset, 0)]
    return entries
