"""Deblocking of pictures that JPEG compressed."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn, idctn

from spadepis.deblocking.quantization import (
    Quantization,
    quantization_of,
    standard_quantization,
)
from spadepis.deblocking.shifted_dct import deblock
from spadepis.quality.appearance import blockiness
from tests.support.pictures import clean_pictures, jpeg, psnr

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures() -> Sequence[Picture]:
    return clean_pictures()


@pytest.fixture(scope="module")
def sky() -> Picture:
    """A sky that gets lighter towards the horizon, with a little noise."""
    rows, columns = np.mgrid[:120, :200]
    light = 120 + rows / 6 + columns / 40
    grain = np.random.default_rng(0).normal(0, 0.5, light.shape)
    colours = np.stack([light, light + 20, light + 50 - rows / 12], axis=2)
    sky: Picture = np.rint(colours + grain[..., None]).astype(np.uint8)
    return sky


def stored(picture: Picture, quality: int, sampling: str = "4:2:0") -> tuple[Picture, Quantization]:
    image = Image.open(io.BytesIO(jpeg(picture, quality, sampling)))
    quantization = quantization_of(image)
    assert quantization is not None
    return np.asarray(image), quantization


@pytest.mark.parametrize("sampling", ["4:2:0", "4:2:2", "4:4:4"])
@pytest.mark.parametrize("quality", [30, 50, 75])
def test_what_compression_changed_comes_back_in_part(
    pictures: Sequence[Picture], quality: int, sampling: str
) -> None:
    gains = []
    for picture in pictures:
        compressed, quantization = stored(picture, quality, sampling)
        result = deblock(compressed, quantization)
        gains.append(psnr(result, picture) - psnr(compressed, picture))
        assert blockiness(result) < max(0.1, blockiness(compressed) / 4)
    assert min(gains) > 0
    assert np.mean(gains) > 0.3


def test_a_stretched_sky_shows_no_blocks(sky: Picture) -> None:
    compressed, quantization = stored(sky, 40)
    result = deblock(compressed, quantization)
    before, after = (
        (6.0 * picture - 5 * picture.mean(axis=(0, 1))).clip(0, 255).astype(np.uint8)
        for picture in (compressed, result)
    )
    assert blockiness(before) > 0.6
    assert blockiness(after) < 0.2
    assert psnr(result, sky) > psnr(compressed, sky) + 0.5


def test_fine_steps_change_next_to_nothing(pictures: Sequence[Picture]) -> None:
    ones = np.ones((8, 8), np.float32)
    for picture in pictures:
        result = deblock(picture, Quantization(ones, ones))
        assert psnr(result, picture) > 50
        compressed, quantization = stored(picture, 95)
        assert psnr(deblock(compressed, quantization), picture) > psnr(compressed, picture) - 0.3


def test_a_cropped_photo_is_deblocked_as_well(pictures: Sequence[Picture]) -> None:
    picture = pictures[0]
    compressed, quantization = stored(picture, 50)
    for top, left in ((3, 5), (8, 1)):
        part = np.s_[top:-2, left:-5]
        result = deblock(compressed[part], quantization)
        assert result.shape == compressed[part].shape
        assert psnr(result, picture[part]) > psnr(compressed[part], picture[part])


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (33, 17)])
def test_photos_of_any_size(size: tuple[int, int]) -> None:
    grey = np.full((*size, 3), 77, np.uint8)
    np.testing.assert_array_equal(deblock(grey, standard_quantization(10)), grey)


def test_the_change_is_the_mean_over_shifted_grids() -> None:
    luminance = np.random.default_rng(0).integers(90, 110, (24, 24)).astype(np.float64)
    # Some coefficients of integers are multiples of an eighth; none shall equal a threshold.
    steps = standard_quantization(50).luminance + np.float32(0.01)
    padded = np.pad(luminance, 8, "symmetric")
    total = np.zeros_like(padded)
    for top, left in zip(range(8), (0, 3, 6, 1, 4, 7, 2, 5), strict=True):
        for row in range(top, 33, 8):
            for column in range(left, 33, 8):
                block = np.s_[row : row + 8, column : column + 8]
                coefficients = dctn(padded[block], norm="ortho")
                kept = abs(coefficients) >= steps / 2
                kept[0, 0] = True
                total[block] += idctn(coefficients * kept, norm="ortho") / 8
    photo = luminance[..., None].repeat(3, 2).astype(np.uint8)
    result = deblock(photo, Quantization(steps, np.zeros_like(steps)))
    np.testing.assert_allclose(result[..., 0], total[8:-8, 8:-8], atol=0.51)


def test_the_quantization_of_a_file() -> None:
    grey = np.full((16, 16, 3), 128, np.uint8)
    for sampling, expected in {"4:2:0": (2, 2), "4:2:2": (1, 2), "4:4:4": (1, 1)}.items():
        _, quantization = stored(grey, 50, sampling)
        assert quantization.sampling == expected
        # The first row and column of the tables of Annex K.
        assert quantization.luminance[0].tolist() == [16, 11, 10, 16, 24, 40, 51, 61]
        assert quantization.luminance[:, 0].tolist() == [16, 12, 14, 14, 18, 24, 49, 72]
        assert quantization.chrominance[0].tolist() == [17, 18, 24, 47, 99, 99, 99, 99]
        assert quantization.transposed.luminance[0].tolist() == [16, 12, 14, 14, 18, 24, 49, 72]
        assert quantization.transposed.sampling == expected[::-1]
    single = io.BytesIO()
    Image.fromarray(grey[..., 0]).save(single, "JPEG")
    assert quantization_of(Image.open(single)) is None
    assert quantization_of(Image.fromarray(grey)) is None
