"""The figures of quality on pictures whose quality is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from spadepis.quality.appearance import blockiness, clipped_share, sharpness
from spadepis.quality.gaussians import Gaussian
from spadepis.quality.look import colour_distance, colour_statistics
from spadepis.quality.structure import boundary_disagreement, edge_similarity
from tests.support.pictures import clean_pictures, compress

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def blocks() -> NDArray[np.uint8]:
    """A label map of 4x4 blocks of different classes."""
    return np.arange(16, dtype=np.uint8).reshape(4, 4).repeat(16, 0).repeat(16, 1)


@pytest.fixture(scope="module")
def picture(blocks: NDArray[np.uint8]) -> Picture:
    """Every class in a grey of its own with a little noise."""
    generator = np.random.default_rng(0)
    greys = generator.permutation(np.linspace(60, 190, 16))
    noise = generator.normal(0, 2, (*blocks.shape, 3))
    return np.clip(greys[blocks][..., None] + noise, 0, 255).astype(np.uint8)


def test_edges_survive_a_change_of_light_but_not_new_structure(picture: Picture) -> None:
    assert edge_similarity(picture, picture) == pytest.approx(1)
    shifted = (picture + np.array([30, 10, 0])).astype(np.uint8)
    assert edge_similarity(picture, shifted) > 0.99
    blurred = gaussian_filter(picture, (3, 3, 0))
    stripes = picture.copy()
    stripes[::4] //= 2
    assert edge_similarity(picture, blurred) < 0.8
    assert edge_similarity(picture, stripes) < 0.5


def test_boundaries_are_found_in_the_picture_of_the_label_map_alone(
    blocks: NDArray[np.uint8], picture: Picture
) -> None:
    assert boundary_disagreement(blocks, picture) < 0.03
    noise = np.random.default_rng(1).integers(0, 256, picture.shape, dtype=np.uint8)
    assert boundary_disagreement(blocks, noise) == pytest.approx(0.5, abs=0.05)
    away = np.roll(picture, (8, 8), axis=(0, 1))
    assert boundary_disagreement(blocks, away) > 0.5
    assert np.isnan(boundary_disagreement(np.zeros_like(blocks), picture))


def test_boundary_disagreement_is_a_chance_between_pixels() -> None:
    label_map = np.array([[0] * 8 + [1] * 8] * 16, np.uint8)
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, 8:] = 255
    assert boundary_disagreement(label_map, image) == 0
    # An edge as strong in two of the eight columns that are far from the boundary: a tie is half.
    image[:, :2] = 255
    assert boundary_disagreement(label_map, image) == pytest.approx(0.5 * 4 / 8)


def test_clipped_pixels_are_counted() -> None:
    image = np.full((10, 10, 3), 128, np.uint8)
    assert clipped_share(image) == 0
    image[0, :, 0] = 255
    image[1, :5] = 0
    assert clipped_share(image) == pytest.approx(0.15)


def test_blur_takes_sharpness_and_noise_adds_it(picture: Picture) -> None:
    blurred = gaussian_filter(picture, (2, 2, 0))
    noise = np.random.default_rng(2).normal(0, 20, picture.shape)
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    assert sharpness(blurred) < sharpness(picture) < sharpness(noisy)
    # Of a checkerboard of pixels the Laplacian is plus and minus 4 steps.
    checkerboard = np.indices((32, 32)).sum(axis=0) % 2 * 10 + 100
    grey = checkerboard[..., None].repeat(3, 2).astype(np.uint8)
    inner = sharpness(grey)
    assert inner == pytest.approx(40, rel=0.05)


def test_colour_distance_is_that_of_gaussians() -> None:
    a = Gaussian(np.array([50.0, 0.0, 0.0]), np.diag([4.0, 1.0, 9.0]))
    b = Gaussian(np.array([53.0, 4.0, 0.0]), np.diag([16.0, 1.0, 1.0]))
    # Means are 5 apart, standard deviations 2, 0 and 2.
    assert colour_distance(a, b) == pytest.approx(np.sqrt(25 + 4 + 4))
    assert colour_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_colour_statistics_are_in_lab() -> None:
    white = colour_statistics(np.full((4, 4, 3), 255, np.uint8))
    np.testing.assert_allclose(white.mean, [100, 0, 0], atol=0.01)
    np.testing.assert_allclose(white.covariance, 0, atol=1e-6)
    grey = colour_statistics(np.full((4, 4, 3), 128, np.uint8))
    assert colour_distance(white, grey) == pytest.approx(100 - 53.585, abs=0.01)


def test_blocks_are_measured_by_how_far_they_stand_out() -> None:
    measured = []
    for picture in clean_pictures():
        clean = blockiness(picture)
        assert clean < 0.1
        by_quality = [blockiness(compress(picture, q)) for q in (75, 60, 45, 30)]
        assert clean < by_quality[0]
        measured.append(by_quality)
    assert (np.diff(np.mean(measured, axis=0)) > 0.1).all()


def test_blocks_are_found_at_any_offset() -> None:
    compressed = compress(clean_pictures()[4], 50)
    whole = blockiness(compressed)
    for top, left in ((0, 1), (3, 5), (7, 2)):
        assert blockiness(compressed[top:-3, left:-5]) == pytest.approx(whole, rel=0.1)


def test_blockiness_is_the_step_between_flat_blocks() -> None:
    # Each step of s levels has a bend of s, and its neighbours of s / 2.
    steps = np.arange(16).repeat(8) % 2 * 2
    image = (100 + steps[None] + steps[:, None])[..., None].repeat(3, 2).astype(np.uint8)
    assert blockiness(image) == pytest.approx(2, rel=1e-3)
    assert blockiness(image[:40, :40] // 200) == 0
    assert np.isnan(blockiness(image[:10]))
    stripes = (100 + steps[None].repeat(128, 0))[..., None].repeat(3, 2).astype(np.uint8)
    assert blockiness(stripes) == 0
