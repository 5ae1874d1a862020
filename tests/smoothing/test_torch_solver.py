import warnings
from types import ModuleType

import numpy as np
import pytest
import torch

from spadepis.smoothing import ConvergenceError, smooth, smooth_batch
from spadepis.smoothing.bands import from_bands, margin, to_bands
from spadepis.smoothing.closed_form import _stencil
from spadepis.smoothing.conjugate_gradient import conjugate_gradients as numba_solver
from spadepis.smoothing.torch_affinity import smoothing_stencil, sparse_matrix
from spadepis.smoothing.torch_solver import conjugate_gradients
from tests.smoothing.images import Array, edge, gradient, noise

LEVEL = 1 / 255
CLOSE = 0.3 * LEVEL
SIZES = [(1, 1), (1, 7), (2, 2), (5, 2), (3, 3), (3, 8), (4, 3), (7, 9)]


def contents(height: int, width: int) -> Array:
    """Contents that need very different numbers of iterations."""
    flat = np.full((height, width, 3), 0.5)
    grey = noise(height, width)[..., :1].repeat(3, axis=2)
    images = [noise(height, width), flat, gradient(height, width), edge(height, width), grey]
    return np.stack(images)


def systems(images: Array) -> torch.Tensor:
    stencil = smoothing_stencil(torch.from_numpy(images), 0.9999, 1e-7)
    return sparse_matrix(stencil, images.shape[2])


@pytest.mark.parametrize("size", SIZES)
def test_matrix_is_the_system_rounded_to_float32(size: tuple[int, int], oracle: ModuleType) -> None:
    images = noise(2, *size, seed=1)
    pixels, border = size[0] * size[1], margin(size[1])
    matrix = systems(images)
    assert matrix.dtype == torch.float32
    dense = matrix.to_dense().numpy()
    assert not dense[:, :border].any() and not dense[:, -border:].any()
    expected = np.zeros((2 * pixels, 2 * pixels))
    for i, image in enumerate(images):
        block = slice(i * pixels, (i + 1) * pixels)
        expected[block, block] = oracle.system(image).toarray()
    np.testing.assert_allclose(dense[:, border:-border], expected, atol=1.2e-7)


def test_matrix_equals_the_stencil_on_flat_grey_and_dark_content() -> None:
    images = np.concatenate([contents(9, 8), noise(1, 9, 8) * 0.02])
    border, pixels = margin(8), 72
    matrix = systems(images).to_dense().numpy()[:, border:-border]
    for i, image in enumerate(images):
        stencil = from_bands(np.array(_stencil(image, 0.9999, 1e-7)), pixels, 8)
        block = slice(i * pixels, (i + 1) * pixels)
        for plane, offset in zip(
            stencil, (5 * (k // 5) + k % 5 - 2 for k in range(2, 15)), strict=True
        ):
            rows, columns = (offset + 2) // 5, (offset + 2) % 5 - 2
            diagonal = np.diagonal(matrix[block, block], rows * 8 + columns)
            np.testing.assert_allclose(diagonal, plane[: len(diagonal)], atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8])
@pytest.mark.parametrize("size", [(33, 40), (40, 33), (24, 24)])
def test_equals_smooth(size: tuple[int, int], dtype: torch.dtype) -> None:
    guides = torch.from_numpy(contents(*size))
    stylized = torch.from_numpy(noise(5, 2, *size, seed=2))
    stylized[:, 1] = torch.from_numpy(gradient(*size))
    if dtype == torch.uint8:
        guides, stylized = guides.mul(255), stylized.mul(255)
    guides, stylized = guides.to(dtype), stylized.to(dtype)
    smoothed = smooth_batch(guides, stylized)
    assert smoothed.dtype == torch.float32 and smoothed.shape == (5, 2, *size, 3)
    for content, y, r in zip(guides, stylized, smoothed, strict=True):
        assert abs(r.numpy() - smooth(content.numpy(), y.numpy())).max() < CLOSE


def test_equals_the_direct_solution(oracle: ModuleType) -> None:
    guides, stylized = contents(20, 26), noise(5, 1, 20, 26, seed=3)
    sides = [(2, 2), (2, 2), (0, 0)]
    smoothed = smooth_batch(torch.from_numpy(guides), torch.from_numpy(stylized)).numpy()
    for content, y, r in zip(guides, stylized, smoothed, strict=True):
        padded = oracle.solve(np.pad(content, sides, "edge"), np.pad(y[0], sides, "edge"))
        assert abs(r[0] - np.clip(padded[2:-2, 2:-2], 0, 1)).max() < CLOSE


def test_images_of_a_batch_do_not_affect_each_other() -> None:
    guides, stylized = contents(24, 20), noise(5, 2, 24, 20, seed=4)
    # A black photo is solved before the first iteration.
    stylized[2, 0] = 0
    together = smooth_batch(torch.from_numpy(guides), torch.from_numpy(stylized))
    assert not together[2, 0].any()
    for i in range(5):
        alone = smooth_batch(
            torch.from_numpy(guides[i : i + 1]), torch.from_numpy(stylized[i, None])
        )
        torch.testing.assert_close(together[i], alone[0], atol=1e-5, rtol=0)


def test_iterations_are_those_of_the_numba_form() -> None:
    height, width = 30, 24
    images = contents(height, width)
    y = noise(5, height * width, seed=5).astype(np.float32)
    start = torch.from_numpy(y)
    x, iterations = conjugate_gradients(systems(images), start * 1e-4, start, 2e-3, 2000)
    assert x.shape == start.shape and iterations.shape == (5, 3)
    expected = []
    for image, sides in zip(images, y, strict=True):
        stencil = _stencil(image, 0.9999, 1e-7)
        b, solution = to_bands(sides.T * 1e-4, width), to_bands(sides.T, width)
        expected.append(numba_solver(stencil, width, b, solution, 2e-3, 2000))
    # The numba form goes on until its three right-hand sides are solved.
    slowest = iterations.max(dim=1).values.numpy()
    assert (abs(slowest - np.array(expected)) <= np.maximum(3, 0.03 * slowest)).all()
    assert slowest.max() > 2 * slowest.min()


def test_residual_is_within_the_tolerance() -> None:
    matrix = systems(contents(16, 18))
    y = torch.from_numpy(noise(5, 16 * 18, seed=6)).float()
    x, _ = conjugate_gradients(matrix, y * 1e-4, y, 1e-3, 2000)
    border = margin(18)
    product = matrix.to_dense()[:, border:-border].double() @ x.double().view(-1, 3)
    residual = (product.view(x.shape) - y * 1e-4).norm(dim=1)
    # The residual that the iteration carries along drifts from the true one in float32.
    assert (residual <= 3e-3 * (y * 1e-4).norm(dim=1)).all()


@pytest.mark.parametrize("max_iterations", [0, 3, 20])
def test_too_few_iterations_are_an_error(max_iterations: int) -> None:
    y = torch.from_numpy(noise(1, 400)).float()
    with pytest.raises(ConvergenceError, match=f"in {max_iterations} iterations"):
        conjugate_gradients(systems(noise(1, 20, 20)), y * 1e-4, y, 1e-3, max_iterations)


def test_values_that_are_not_finite_never_pass_for_solved() -> None:
    y = torch.full((1, 400, 3), torch.nan)
    with pytest.raises(ConvergenceError):
        conjugate_gradients(systems(noise(1, 20, 20)), y, y, 1e-3, 40)


def test_small_images_and_no_images() -> None:
    for size in [(1, 1), (1, 9), (2, 2), (3, 3)]:
        content, y = noise(1, *size), noise(1, 1, *size, seed=1)
        smoothed = smooth_batch(torch.from_numpy(content), torch.from_numpy(y))
        assert abs(smoothed[0].numpy() - smooth(content[0], y[0])).max() < LEVEL
    assert smooth_batch(torch.rand(0, 4, 4, 3), torch.rand(0, 2, 4, 4, 3)).shape == (0, 2, 4, 4, 3)
    assert smooth_batch(torch.rand(2, 4, 4, 3), torch.rand(2, 0, 4, 4, 3)).shape == (2, 0, 4, 4, 3)


def test_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        smooth_batch(torch.rand(1, 4, 4, 3), torch.rand(1, 1, 4, 4, 3))


GOOD = torch.rand(2, 6, 5, 3), torch.rand(2, 3, 6, 5, 3)


@pytest.mark.parametrize(
    "guides, stylized, message",
    [
        (GOOD[0][0], GOOD[1], "must be"),
        (GOOD[0], GOOD[1][0], "must be"),
        (GOOD[0][:1], GOOD[1], "must be"),
        (GOOD[0], GOOD[1].transpose(2, 3), "must be"),
        (GOOD[0][:, :0], GOOD[1][:, :, :0], "not empty"),
        (GOOD[0][..., :2], GOOD[1][..., :2], "must be"),
        (GOOD[0].long(), GOOD[1], "uint8 or floating-point"),
        (GOOD[0], GOOD[1].long(), "uint8 or floating-point"),
        (GOOD[0] * torch.nan, GOOD[1], "contents has values"),
        (GOOD[0], GOOD[1] + torch.inf, "stylized has values"),
    ],
)
def test_bad_images(guides: torch.Tensor, stylized: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        smooth_batch(guides, stylized)


@pytest.mark.parametrize("options", [{"beta": 1}, {"beta": -0.1}, {"epsilon": 0}])
def test_bad_parameters(options: dict[str, float]) -> None:
    guides, stylized = GOOD
    with pytest.raises(ValueError, match=next(iter(options))):
        smooth_batch(guides, stylized, **options)
