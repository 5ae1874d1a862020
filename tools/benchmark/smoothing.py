"""Smoothing by conjugate gradients, and by factorisation."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.kernels.triton_driver import runs_triton
from spadepis.smoothing import smooth, smooth_batch
from spadepis.smoothing.closed_form import PADDING
from spadepis.smoothing.torch_solver import assemble, solve
from tools.benchmark.inputs import Inputs
from tools.benchmark.measuring import Case, Form
from tools.benchmark.plain_smoothing import BETA, EPSILON, smooth_by_factorization

STENCIL_ENTRIES = 25
# A step takes three sums of vectors and two inner products.
VECTOR_OPERATIONS = 5
FLOAT_BYTES = 4
# Of the numba form in each step: 13 planes for three right-hand sides; for each of these x, p and
# the residual are read and x and p written, then p read and A p written, then A p and the residual
# read and the latter written.
NUMBA_PLANES = 13
NUMBA_VECTORS = 10
# Of the torch form: 25 entries and their indices for all right-hand sides; for each of these p
# read and A p written by the product, 4 for the inner product and its summands, 3 for each of the
# three sums, and 1 for the norm.
TORCH_PLANES = 50
TORCH_VECTORS = 16
# Of the Triton form: 13 planes for all right-hand sides; for each of these the residual, p and x
# are read and p, A p and x written, then the residual and A p read and the former written.
TRITON_PLANES = 13
TRITON_VECTORS = 9


def smoothing_case(inputs: Inputs, device: str) -> Case:
    """Smoothing beside its published form, which runs on the CPU; a result is a pair."""
    contents = torch.from_numpy(inputs.contents).to(device)
    stylized = torch.from_numpy(inputs.stylized()).to(device)

    def plain() -> Tensor:
        first = stylized[0, 0].cpu().numpy()
        return torch.from_numpy(smooth_by_factorization(inputs.contents[0], first)[None])

    macs, traffic = smoothing_work(contents, stylized)
    return Case(
        stage="smoothing",
        size=contents.shape[1],
        styles=stylized.shape[1],
        fast=Form(
            lambda: smooth_all(contents, stylized).flatten(0, 1),
            len(contents) * stylized.shape[1],
            device,
        ),
        plain=Form(plain, 1, "cpu"),
        macs=macs,
        traffic=traffic,
    )


def smooth_all(contents: Tensor, stylized: Tensor) -> Tensor:
    """Smooth [N,K,H,W,3] by contents, uint8 [N,H,W,3], in the form for their device."""
    if contents.device.type == "cuda":
        return smooth_batch(contents, stylized)
    smoothed = [smooth(*pair) for pair in zip(contents.numpy(), stylized.numpy(), strict=True)]
    return torch.from_numpy(np.stack(smoothed))


def smoothing_work(contents: Tensor, stylized: Tensor) -> tuple[int, int]:
    """Multiply-accumulates and bytes that the solver needs for [N,K,H,W,3], by formula.

    They follow from the iterations for the first style of each content; the other styles take
    nearly as many. The bytes are those of vectors and matrices that do not fit into a cache.
    """
    iterations = _iterations(contents, stylized[:, :1])
    height, width = contents.shape[1:3]
    pixels = (height + 2 * PADDING) * (width + 2 * PADDING)
    images, styles = stylized.shape[:2]
    sides = 3 * styles
    if contents.device.type == "cuda":
        # All go on until the slowest is solved.
        steps = images * int(iterations.max())
        by_triton = runs_triton(contents.device)
        words = TRITON_PLANES if by_triton else TORCH_PLANES
        words += (TRITON_VECTORS if by_triton else TORCH_VECTORS) * sides
    else:
        steps = int(iterations.sum())
        words = NUMBA_PLANES * styles + NUMBA_VECTORS * sides
    macs = steps * pixels * sides * (STENCIL_ENTRIES + VECTOR_OPERATIONS)
    return macs, steps * pixels * words * FLOAT_BYTES


def smoothing_system(contents: Tensor, stylized: Tensor) -> tuple[Tensor, int, Tensor, Tensor]:
    """The arguments of ``solve`` with which [N,K,H,W,3] is smoothed."""
    sides = [(0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)]
    guides = torch.from_numpy(np.pad(contents.cpu().numpy() / 255, sides, "edge"))
    stencil = assemble(guides.to(contents.device), BETA, EPSILON)
    padded = np.pad(stylized.cpu().numpy(), [(0, 0), *sides], "edge")
    y = torch.from_numpy(padded).permute(0, 1, 4, 2, 3).flatten(3).flatten(1, 2)
    y = y.contiguous().to(contents.device)
    return stencil, guides.shape[2], y * (1 - BETA), y


def _iterations(contents: Tensor, stylized: Tensor) -> NDArray[np.int32]:
    """Iterations until the three channels of [N,1,H,W,3] are solved, int32 [N]."""
    _, iterations = solve(*smoothing_system(contents, stylized))
    slowest: NDArray[np.int32] = iterations.amax(dim=1).cpu().numpy()
    return slowest
