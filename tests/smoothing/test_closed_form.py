from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from spadepis.smoothing import SmoothingSystem, smooth
from spadepis.smoothing.matting_affinity import window_counts
from tests.smoothing.images import Array, edge, gradient, noise

LEVEL = 1 / 255
# What is asked is one level; this leaves a margin.
CLOSE = 0.3 * LEVEL


CONTENTS = {
    "noise": noise(33, 40),
    "constant": np.full((33, 40, 3), 0.5),
    "gradient": gradient(33, 40),
    "edge": edge(33, 40),
    "grey": noise(33, 40)[..., :1].repeat(3, axis=2),
    "dark": noise(33, 40) * 0.02,
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize(
    "stylized", [noise(33, 40, seed=1), gradient(33, 40)], ids=["noise", "smooth"]
)
def test_equals_the_direct_solution(name: str, stylized: Array, oracle: ModuleType) -> None:
    smoothed = SmoothingSystem(CONTENTS[name]).solve(stylized)
    assert smoothed.dtype == np.float32
    assert abs(smoothed - oracle.solve(CONTENTS[name], stylized)).max() < CLOSE


@pytest.mark.parametrize("brightness", [0.9, 1.0])
def test_a_small_detail_in_a_bright_photo_is_solved(brightness: float, oracle: ModuleType) -> None:
    content, stylized = (np.full((64, 64, 3), brightness) for _ in range(2))
    content[30:34, 30:34], stylized[30:34, 30:34] = noise(4, 4), noise(4, 4, seed=1)
    smoothed = SmoothingSystem(content).solve(stylized)
    assert abs(smoothed - oracle.solve(content, stylized)).max() < CLOSE


@pytest.mark.parametrize("size", [(3, 3), (3, 9), (4, 3), (5, 6)])
def test_small_images(size: tuple[int, int], oracle: ModuleType) -> None:
    content, stylized = noise(*size), noise(*size, seed=1)
    smoothed = SmoothingSystem(content).solve(stylized)
    assert abs(smoothed - oracle.solve(content, stylized)).max() < CLOSE


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (2, 9)])
def test_an_image_without_windows_keeps_its_stylization(size: tuple[int, int]) -> None:
    stylized = noise(*size, seed=1)
    smoothed = SmoothingSystem(noise(*size)).solve(stylized)
    np.testing.assert_allclose(smoothed, stylized, atol=1e-6)
    assert smooth(noise(*size), stylized).shape == (*size, 3)


@pytest.mark.parametrize("beta", [0, 0.5, 0.99, 0.99999])
def test_other_betas(beta: float, oracle: ModuleType) -> None:
    content, stylized = gradient(20, 20), noise(20, 20)
    error = SmoothingSystem(content, beta=beta).solve(stylized) - oracle.solve(
        content, stylized, beta
    )
    assert abs(error).max() < LEVEL


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (0,)])
def test_leading_dimensions_are_solved_one_by_one(shape: tuple[int, ...]) -> None:
    content = gradient(14, 17)
    stylized = np.random.default_rng(3).random((*shape, 14, 17, 3))
    system = SmoothingSystem(content)
    together = system.solve(stylized)
    assert together.shape == stylized.shape
    for i in np.ndindex(shape):
        np.testing.assert_allclose(together[i], system.solve(stylized[i]), atol=1e-5)
    assert smooth(content, stylized).shape == stylized.shape


def test_constant_stylization_is_reproduced() -> None:
    # The system keeps D^1/2 times a constant exactly, and so a constant but for the border.
    root = np.sqrt(window_counts(40, 40)[..., None]) * np.ones(3) / 3
    system = SmoothingSystem(noise(40, 40))
    assert abs(system.solve(0.4 * root) - 0.4 * root).max() < 0.05 * LEVEL
    assert abs(system.solve(0.4 + 0 * root)[15:-15, 15:-15] - 0.4).max() < 0.02


def test_stylization_affine_in_the_colour_of_the_content_is_nearly_reproduced() -> None:
    content = gradient(64, 64)
    stylized = content @ np.array([[0.5, 0.2, 0.0], [0.1, 0.4, 0.1], [0.0, 0.1, 0.6]]) + 0.1
    smoothed = smooth(content, stylized)
    assert abs(smoothed - stylized)[16:-16, 16:-16].max() < 2 * LEVEL


def test_smooth_is_aligned_with_the_content() -> None:
    content = edge(24, 30)
    smoothed = smooth(content, content)
    assert smoothed.shape == content.shape and smoothed.dtype == np.float32
    assert abs(np.diff(smoothed[12, :, 0])).argmax() == 14
    assert smoothed.min() >= 0 and smoothed.max() <= 1


def test_smooth_is_the_padded_system(oracle: ModuleType) -> None:
    content, stylized = gradient(16, 18), noise(16, 18)
    sides = [(2, 2), (2, 2), (0, 0)]
    padded = oracle.solve(np.pad(content, sides, "edge"), np.pad(stylized, sides, "edge"))
    expected = np.clip(padded[2:-2, 2:-2], 0, 1)
    assert abs(smooth(content, stylized) - expected).max() < CLOSE


def test_uint8_equals_float() -> None:
    content = (noise(20, 20) * 255).astype(np.uint8)
    stylized = (noise(20, 20, seed=1) * 255).astype(np.uint8)
    np.testing.assert_allclose(
        smooth(content, stylized),
        smooth(np.float32(content) / np.float32(255), stylized / 255),
        atol=0.1 * LEVEL,
    )


GOOD = noise(6, 5)


@pytest.mark.parametrize(
    "content, message",
    [
        (GOOD[..., 0], "content must be"),
        (GOOD[None], "content must be"),
        (GOOD[:0], "not empty"),
        (GOOD[..., :2], "content must be"),
        (GOOD.astype(np.int64), "uint8 or floating-point"),
        (GOOD * np.nan, "not finite"),
    ],
)
def test_bad_contents(content: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SmoothingSystem(content)
    with pytest.raises(ValueError):
        smooth(content, GOOD)


@pytest.mark.parametrize(
    "stylized, message",
    [
        (GOOD[:5], "like the content"),
        (GOOD[..., 0], "stylized must be"),
        (GOOD.transpose(1, 0, 2), "like the content"),
        (GOOD + np.inf, "not finite"),
    ],
)
def test_bad_stylizations(stylized: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SmoothingSystem(GOOD).solve(stylized)
    with pytest.raises(ValueError):
        smooth(GOOD, stylized)


@pytest.mark.parametrize("options", [{"beta": 1}, {"beta": -0.1}, {"epsilon": 0}])
def test_bad_parameters(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        SmoothingSystem(GOOD, **options)


def test_equals_the_published_solution(shared: Path) -> None:
    golden = np.load(shared / "golden" / "smooth_dev.npz")
    smoothed = SmoothingSystem(golden["content0"]).solve(golden["stylized0"])
    assert abs(smoothed - golden["smoothed0"]).max() < CLOSE


@pytest.mark.parametrize("index", [0, 400])
def test_photos(index: int, shared: Path, oracle: ModuleType) -> None:
    photos = sorted((shared / "data" / "photos").glob("*.jpg"))
    content, stylized = (
        np.asarray(Image.open(photo).convert("RGB").resize((128, 128))) / 255
        for photo in (photos[index], photos[index + 1])
    )
    smoothed = SmoothingSystem(content).solve(stylized)
    assert abs(smoothed - oracle.solve(content, stylized)).max() < CLOSE
