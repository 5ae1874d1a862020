"""The style pictures: the physics under them, what they look like in small, and the files."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import spadepis.demo
from tools.demo_inputs.styles import STYLES, photograph
from tools.demo_inputs.styles.atmosphere import Atmosphere, sun_direction
from tools.demo_inputs.styles.noise import Array, FractalNoise
from tools.demo_inputs.styles.surfels import Camera, Surfels, light_depth, splat
from tools.demo_inputs.styles.terrain import Terrain

_FOLDER = Path(spadepis.demo.__file__).parent / "inputs" / "styles"
_GROUND = np.array([0.0, 0.0, 6.36e6])
_ZENITH = np.array([0.0, 0.0, 1.0])


@cache
def shown(name: str) -> NDArray[np.float64]:
    """The committed picture of a style."""
    return np.asarray(Image.open(_FOLDER / f"{name}.jpg"), np.float64)


def warmth(picture: NDArray[np.float64]) -> float:
    mean = picture.mean(axis=(0, 1))
    return float(mean[0] / mean[2])


def test_vertical_optical_depth_is_that_of_clean_air() -> None:
    red, green, blue = Atmosphere(turbidity=0).optical_depth(_GROUND, _ZENITH, steps=200)
    # At 550 nm: 0.097 of air (Bodhaine et al. 1999) and 0.027 of ozone (300 Dobson units).
    assert green == pytest.approx(0.097 + 0.027, rel=0.02)
    # Rayleigh's law: the rest of the blue channel's depth goes with the wavelength's -4th power.
    assert blue - 0.003 == pytest.approx(0.097 * (550 / 465) ** 4, rel=0.02)
    assert red < green < blue


def test_air_mass_grows_as_the_secant_of_the_zenith_angle() -> None:
    air = Atmosphere()
    slanted = air.optical_depth(_GROUND, sun_direction(30, 0), steps=200)
    assert slanted == pytest.approx(2 * air.optical_depth(_GROUND, _ZENITH, steps=200), rel=0.01)


def test_sky_is_blue_at_noon_and_its_horizon_red_at_sunset() -> None:
    air = Atmosphere()
    red, green, blue = air.sky(_ZENITH, sun_direction(60, 0))
    assert blue > green > red > 0
    sunset = sun_direction(0.5, 0)
    low, high = air.sky(np.stack([sun_direction(2, 0), _ZENITH]), sunset)
    assert low[0] > low[1] > low[2]
    assert low[0] / low[2] > 2 * high[0] / high[2]


def test_ozone_keeps_the_zenith_blue_after_sunset() -> None:
    red, green, blue = Atmosphere().sky(_ZENITH, sun_direction(-5, 0))
    assert blue > 1.5 * green > 1.5 * red > 0


def test_low_sun_is_red_and_set_sun_is_dark() -> None:
    air = Atmosphere()
    red, green, blue = air.sunlight(sun_direction(2, 0))
    assert 1 > red > 1.2 * green > 1.5 * blue > 0
    assert (air.sunlight(sun_direction(-3, 0)) == 0).all()


@pytest.mark.parametrize("exponent", [1.0, 1.6, 2.2])
def test_spectrum_of_noise_has_its_slope(exponent: float) -> None:
    field = FractalNoise(3, (256, 256), exponent).field
    assert field.std() == pytest.approx(1, abs=1e-3)
    amplitude = np.abs(np.fft.fft2(field)).ravel()
    radius = np.hypot(*np.meshgrid(*[np.fft.fftfreq(256) * 256] * 2)).ravel()
    band = (radius > 3) & (radius < 100)
    slope = np.polyfit(np.log(radius[band]), np.log(amplitude[band]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)


def test_noise_goes_through_its_samples_and_repeats() -> None:
    noise = FractalNoise(4, (32, 64))
    row, column = np.meshgrid(np.arange(32.0), np.arange(64.0), indexing="ij")
    sampled = noise(row, column, period=(32.0, 64.0))
    np.testing.assert_allclose(sampled, noise.field, atol=1e-5)
    again = noise(row + 64, column - 64, period=(32.0, 64.0))
    np.testing.assert_allclose(again, sampled, atol=1e-5)


def _discs(position: list[list[float]], radius: float) -> Surfels:
    places: Array = np.array(position)
    return Surfels.of(places, np.ones_like(places), np.full(3, 0.5), radius)


def test_nearer_surfel_hides_the_one_behind() -> None:
    camera = Camera(40, 30, focal=1.0, horizon=0.5, eye=2.0)
    surfels = _discs([[0.01, 10, 2], [0.01, 5, 2], [-50, 10, 2]], 0.3)
    seen = splat(camera, surfels, np.full((30, 40), 8.0))
    assert seen[15, 20] == 1
    # The first is behind what is there at 8 metres, the third outside of the picture.
    assert set(np.unique(seen)) == {-1, 1}


def test_flat_ground_meets_the_horizon() -> None:
    camera = Camera(40, 30, focal=1.0, horizon=0.4, eye=2.0)
    depth = Terrain(()).depth(camera)
    assert np.isinf(depth[:12]).all()
    rays = camera.rays()[13:, :, 2]
    np.testing.assert_allclose(depth[13:], -2.0 / rays, rtol=0.01)


def test_light_is_blocked_by_the_area_before_it_alone() -> None:
    rng = np.random.default_rng(0)
    leaves = rng.uniform([0, 0, 4], [20, 20, 5], (40000, 3))
    surfels = Surfels.of(leaves, leaves, np.full(3, 0.5), 0.05)
    under = rng.uniform([4, 4, 0], [16, 16, 1], (4000, 3))
    above = under + np.array([0, 0, 9])
    depth = light_depth(np.concatenate([under, above]), surfels, _ZENITH, cell=0.5)
    # A disc of any orientation shades half its area: 100 leaves a square metre.
    assert depth[:4000].mean() == pytest.approx(100 * np.pi * 0.05**2 / 2, rel=0.05)
    assert (depth[4000:] == 0).all()


def test_pictures_are_there_for_every_style() -> None:
    files = list(_FOLDER.glob("*.jpg"))
    assert len(files) >= 8
    assert {file.stem for file in files} == set(STYLES)
    assert sum(file.stat().st_size for file in files) < 1_200_000
    for file in files:
        with Image.open(file) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (512, 384))


def test_rendering_is_deterministic() -> None:
    np.testing.assert_array_equal(photograph("night", 96, 80), photograph("night", 96, 80))


@pytest.mark.parametrize("name", ["golden_hour", "night"])
def test_rendering_gives_the_committed_picture(name: str) -> None:
    small = photograph(name, 128, 96)
    # At the size of a thumbnail only what is shown counts, not how finely it was rendered.
    coarse, committed = (
        np.asarray(Image.fromarray(picture.astype(np.uint8)).resize((16, 12)), np.float64)
        for picture in (small, shown(name))
    )
    assert np.abs(coarse - committed).mean() < 12
    for channel in range(3):
        assert np.corrcoef(coarse[..., channel].flat, committed[..., channel].flat)[0, 1] > 0.9


def test_light_is_as_the_weather_and_the_hour_have_it() -> None:
    noon, golden, dusk = shown("clear_noon"), shown("golden_hour"), shown("dusk")
    assert warmth(golden) > 1.15 * warmth(noon) > warmth(dusk)
    assert shown("night").mean() < 0.6 * noon.mean()
    # The noon sky is blue, the meadow below it green.
    sky, meadow = noon[:60].mean(axis=(0, 1)), noon[-100:].mean(axis=(0, 1))
    assert sky[2] > 1.1 * sky[0]
    assert meadow[1] > meadow[0] > 1.2 * meadow[2]
    # Fog and cloud take colour away.
    for name in ("fog", "overcast"):
        assert np.ptp(shown(name), axis=-1).mean() < 0.6 * np.ptp(noon, axis=-1).mean()


def test_seasons_have_their_colours() -> None:
    snow, autumn = shown("snow"), shown("autumn")
    assert snow.mean() > 1.3 * autumn.mean()
    assert warmth(autumn) > 1.3 > 1.05 > warmth(snow)


@pytest.mark.parametrize("name", STYLES)
def test_picture_has_the_spectrum_of_a_photograph(name: str) -> None:
    grey = shown(name)[:, :384].mean(axis=-1)
    window = np.hanning(384)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window * window[:, None])).ravel() ** 2
    radius = np.hypot(*np.meshgrid(*[np.fft.fftfreq(384) * 384] * 2)).ravel()
    edges = np.geomspace(4, 170, 12)
    ring = np.digitize(radius, edges)
    mean = [np.log(power[ring == i].mean()) for i in range(1, len(edges))]
    slope = np.polyfit(np.log(edges[1:] * edges[:-1]) / 2, mean, 1)[0]
    # Photographs lie about -2 (Field 1987); soft ones reach lower.
    assert -3.5 < slope < -1.5
