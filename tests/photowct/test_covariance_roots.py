"""Roots of covariances by products in float32, against eigenvectors in float64."""

import math

import pytest
import torch
from torch import Tensor

from spadepis.photowct.covariance_roots import (
    colouring_matrix,
    inverse_root_by_eigenvalues,
    inverse_root_by_polar_factor,
    whitening_matrix,
)
from tools.pretended_gpu import PretendedGpu


def covariances(channels: int, condition: float, count: int = 2) -> Tensor:
    """Float64 matrices whose eigenvalues, plus 1, lie between 1 and ``condition``."""
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(count, channels, channels, generator=random, dtype=torch.float64)
    basis = torch.linalg.qr(noise)[0]
    eigenvalues = torch.logspace(0, math.log10(condition), channels, dtype=torch.float64) - 1
    matrices: Tensor = (basis * eigenvalues) @ basis.mT
    return matrices


def relative_error(matrices: Tensor, exact: Tensor) -> float:
    return float((matrices.double() - exact).norm() / exact.norm())


@pytest.mark.parametrize(
    ("condition", "limit"), [(1.0, 1e-6), (1e2, 2e-6), (1e4, 1e-4), (1e6, 5e-3)]
)
@pytest.mark.parametrize("channels", [40, 128])
def test_inverse_root(channels: int, condition: float, limit: float) -> None:
    matrices = covariances(channels, condition)
    exact = inverse_root_by_eigenvalues(matrices + torch.eye(channels, dtype=torch.float64))
    single = inverse_root_by_polar_factor(matrices.float(), added=1)
    assert single.dtype == torch.float32
    assert relative_error(single, exact) < limit
    assert torch.equal(single, single.mT)
    double = inverse_root_by_polar_factor(matrices, added=1)
    assert relative_error(double, exact) < 1e-8


@pytest.mark.parametrize("condition", [1e4, 1e7])
def test_whitening_on_a_cpu_is_exact_in_float32(condition: float) -> None:
    matrices = covariances(64, condition).float()
    whitening = whitening_matrix(matrices)
    assert whitening.dtype == torch.float32
    assert relative_error(whitening, whitening_matrix(matrices.double())) < 1e-7


def test_it_is_better_than_eigenvalues_in_float32() -> None:
    matrices = covariances(64, 1e6) + torch.eye(64, dtype=torch.float64)
    exact = inverse_root_by_eigenvalues(matrices)
    by_products = inverse_root_by_polar_factor((matrices - torch.eye(64)).float(), added=1)
    by_eigenvalues = inverse_root_by_eigenvalues(matrices.float())
    assert relative_error(by_products, exact) < 0.2 * relative_error(by_eigenvalues, exact)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e5])
@pytest.mark.parametrize("added", [1.0, 1e-5])
def test_covariances_of_low_rank_have_a_root(scale: float, added: float) -> None:
    random = torch.Generator().manual_seed(0)
    for rank in (1, 3, 40, 90):
        features = torch.randn(96, rank, generator=random) @ torch.randn(
            rank, 500, generator=random
        )
        covariance = (features.relu() * scale).cov()
        assert inverse_root_by_polar_factor(covariance, added).isfinite().all()


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
def test_colouring(condition: float) -> None:
    matrices = covariances(64, condition)
    exact = colouring_matrix(matrices)
    torch.testing.assert_close(exact @ exact, matrices)
    with PretendedGpu() as gpu:
        on_gpu = matrices.float().to("cuda")
        gpu.restart()
        colouring = colouring_matrix(on_gpu)
        assert gpu.counts.synchronisations.total() == gpu.counts.float64.total() == 0
        assert relative_error(colouring.cpu(), exact) < 2e-3


def test_what_has_no_root_is_nan_and_spoils_nothing_else() -> None:
    matrices = covariances(20, 100.0, count=4).float()
    expected = inverse_root_by_polar_factor(matrices, added=1)
    matrices[1, 3, 3] = torch.inf
    matrices[2] = -matrices[2]
    roots = inverse_root_by_polar_factor(matrices, added=1)
    assert roots[1:3].isnan().all()
    torch.testing.assert_close(roots[[0, 3]], expected[[0, 3]])
