"""Triton's kernels, interpreted on the CPU, solve what the operators of PyTorch do."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from spadepis.smoothing import ConvergenceError, smooth_batch, torch_solver
from spadepis.smoothing.torch_affinity import smoothing_stencil, sparse_matrix
from tests.smoothing.images import gradient, noise

pytest.importorskip("triton")

from spadepis.smoothing import triton_solver

HEIGHT, WIDTH = 7, 6
# Far from 1, so that a few iterations suffice.
BETA = 0.9


@pytest.fixture(autouse=True)
def several_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images have two parts of two tiles each, the last of them not full."""
    monkeypatch.setattr(triton_solver, "TILE", 16)
    monkeypatch.setattr(triton_solver, "PARTS", 2)
    monkeypatch.setattr(triton_solver, "CHECK_INTERVAL", 4)


def system(styles: int) -> tuple[Tensor, int, Tensor, Tensor]:
    """Two contents, the second of them flat; the last stylized photo is black."""
    contents = np.stack([noise(HEIGHT, WIDTH), np.full((HEIGHT, WIDTH, 3), 0.5)])
    y = torch.from_numpy(noise(2, 3 * styles, HEIGHT * WIDTH, seed=1)[..., 0]).float()
    y[1, -3:] = 0
    stencil = smoothing_stencil(torch.from_numpy(contents), BETA, 1e-7)
    return stencil, WIDTH, y * (1 - BETA), y


def solve_by_torch(tolerance: float, styles: int) -> tuple[Tensor, Tensor]:
    stencil, width, b, y = system(styles)
    x, iterations = torch_solver.conjugate_gradients(
        sparse_matrix(stencil, width), b.mT.contiguous(), y.mT.contiguous(), tolerance, 100
    )
    return x.mT, iterations


def test_equals_the_form_in_pytorch() -> None:
    x, iterations = triton_solver.conjugate_gradients(*system(2), 1e-3, 100)
    expected, expected_iterations = solve_by_torch(1e-3, 2)
    torch.testing.assert_close(x, expected, atol=1e-6, rtol=0)
    assert iterations.dtype == torch.int32
    assert abs(iterations - expected_iterations).max() <= 1
    assert iterations[1, -3:].tolist() == [0, 0, 0]
    assert iterations.max() > iterations[iterations > 0].min() + 2


def test_the_layout_of_vectors_does_not_matter() -> None:
    stencil, width, b, y = system(1)
    expected, _ = triton_solver.conjugate_gradients(stencil, width, b, y, 1e-3, 100)
    # As the channels of photos lie: side by side.
    b, y = (vectors.mT.contiguous().mT for vectors in (b, y))
    assert not y.is_contiguous()
    x, _ = triton_solver.conjugate_gradients(stencil, width, b, y, 1e-3, 100)
    assert torch.equal(x, expected)


def test_the_same_bytes_whatever_is_solved_beside_it() -> None:
    stencil, width, b, y = system(1)
    x, iterations = triton_solver.conjugate_gradients(stencil, width, b, y, 1e-2, 100)
    alone, _ = triton_solver.conjugate_gradients(stencil[:, :1], width, b[:1], y[:1], 1e-2, 100)
    assert iterations[0].max() > 2
    assert torch.equal(alone[0], x[0])


@pytest.mark.parametrize("max_iterations", [0, 3])
def test_too_few_iterations_are_an_error(max_iterations: int) -> None:
    with pytest.raises(ConvergenceError, match=f"in {max_iterations} iterations"):
        triton_solver.conjugate_gradients(*system(1), 1e-6, max_iterations)


def test_the_last_iteration_counts() -> None:
    _, iterations = solve_by_torch(1e-2, 1)
    most = int(iterations.max())
    _, found = triton_solver.conjugate_gradients(*system(1), 1e-2, most)
    assert found.max() == most
    with pytest.raises(ConvergenceError):
        triton_solver.conjugate_gradients(*system(1), 1e-2, most - 1)


def test_values_that_are_not_finite_never_pass_for_solved() -> None:
    stencil, width, b, y = system(1)
    with pytest.raises(ConvergenceError):
        triton_solver.conjugate_gradients(stencil, width, b * torch.nan, y, 1e-3, 2)


@pytest.mark.parametrize("styles", [1, 2])
def test_smoothing_uses_the_kernels_where_triton_works(
    styles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = torch.from_numpy(noise(1, 4, 3))
    stylized = torch.from_numpy(np.stack([noise(4, 3, seed=2), gradient(4, 3)])[None, :styles])
    expected = smooth_batch(contents, stylized, BETA)
    monkeypatch.setattr(torch_solver, "runs_triton", lambda _: True)
    monkeypatch.setattr(torch_solver, "conjugate_gradients", None)
    monkeypatch.setattr(torch_solver, "smoothing_stencil", None)
    smoothed = smooth_batch(contents, stylized, BETA)
    assert smoothed.shape == expected.shape == (1, styles, 4, 3, 3)
    torch.testing.assert_close(smoothed, expected, atol=1e-5, rtol=0)


def test_kernels_compile_for_gpus(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.kernel_compiler", "smoothing", "75"]
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["_find_windows", "_assemble", "_multiply", "_reduce"]
