import numpy as np
import pytest
from numpy.typing import NDArray

from spadepis.quality import artifacts

Plane = NDArray[np.float64]


def noise(side: int = 128) -> Plane:
    return 0.5 + 0.1 * np.random.default_rng(0).standard_normal((side, side))


def wave(cycles: int, side: int = 128) -> Plane:
    """Horizontal stripes."""
    rows = np.arange(side) * (2 * np.pi * cycles / side)
    stripe: Plane = 0.1 * np.sin(rows)[:, None].repeat(side, axis=1)
    return stripe


def stripes(luminance: Plane) -> float:
    return artifacts.stripes(as_picture(luminance))


def frame(luminance: Plane) -> float:
    return artifacts.frame(as_picture(luminance))


def as_picture(luminance: Plane) -> NDArray[np.uint8]:
    grey = (255 * luminance).round().clip(0, 255).astype(np.uint8)
    return grey[:, :, None].repeat(3, axis=2)


def test_stripes_are_the_share_of_their_power() -> None:
    # Three lines of each axis among all frequencies from 24 cycles on.
    assert stripes(noise()) == pytest.approx(0.04, abs=0.015)
    for striped in (noise() + wave(32), noise() + wave(32).T):
        # A sine wave of this amplitude has half the power of the noise.
        assert stripes(striped) == pytest.approx(1 / 3 + 0.03, abs=0.05)
    assert stripes(0.5 + wave(40)) > 0.99


def test_slow_and_oblique_changes_are_no_stripes() -> None:
    assert stripes(noise() + wave(10)) < 0.08
    oblique = np.stack([np.roll(row, i) for i, row in enumerate(wave(32).T)])
    assert stripes(noise() + 3 * oblique) < 0.03


def test_a_border_that_does_not_continue_is_no_stripe() -> None:
    ramp = np.linspace(0, 1, 128)[:, None].repeat(128, axis=1)
    assert stripes(ramp / 2 + noise() / 2) < 0.08


def test_frame_compares_the_border_with_the_inside() -> None:
    assert frame(noise()) == pytest.approx(1, abs=0.1)
    framed = noise()
    framed[[0, 1, -2, -1]] = 0
    framed[:, [0, 1, -2, -1]] = 0
    assert frame(framed) > 3


def test_a_frame_of_one_side_is_a_quarter() -> None:
    ramp = np.arange(64)[:, None].repeat(64, axis=1) / 255
    picture = ramp + ramp.T + 16 / 255
    assert frame(picture) == pytest.approx(1, abs=0.01)
    # The first line is 8 lines further away from line 8.
    picture[0] -= 8 / 255
    assert frame(picture) == pytest.approx(1.25, abs=0.05)


def test_flat_and_small_pictures_have_neither() -> None:
    for picture in (np.full((64, 64), 0.5), noise()[:16, :16], noise()[:2], noise()[:, :1]):
        assert np.isnan(stripes(picture)) and np.isnan(frame(picture))
