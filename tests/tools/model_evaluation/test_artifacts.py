import pytest
import torch
from torch import Tensor

from tools.model_evaluation.artifacts import frame, stripes


def noise(side: int = 128) -> Tensor:
    random = torch.Generator().manual_seed(0)
    return 0.5 + 0.1 * torch.randn(1, side, side, generator=random).expand(3, -1, -1)


def wave(cycles: int, side: int = 128) -> Tensor:
    """Horizontal stripes."""
    rows = torch.arange(side) * (2 * torch.pi * cycles / side)
    return 0.1 * torch.sin(rows)[:, None].expand(3, -1, side)


def test_stripes_are_the_share_of_their_power() -> None:
    # Three lines of each axis among all frequencies from 24 cycles on.
    assert stripes(noise()) == pytest.approx(0.04, abs=0.015)
    for striped in (noise() + wave(32), noise() + wave(32).mT):
        # A sine wave of this amplitude has half the power of the noise.
        assert stripes(striped) == pytest.approx(1 / 3 + 0.03, abs=0.05)
    assert stripes(0.5 + wave(40)) > 0.99


def test_slow_and_oblique_changes_are_no_stripes() -> None:
    assert stripes(noise() + wave(10)) < 0.08
    oblique = torch.stack([row.roll(i, -1) for i, row in enumerate(wave(32).mT.unbind(1))], dim=1)
    assert stripes(noise() + 3 * oblique) < 0.03


def test_a_border_that_does_not_continue_is_no_stripe() -> None:
    ramp = torch.linspace(0, 1, 128)[:, None].expand(3, -1, 128)
    assert stripes(ramp / 2 + noise() / 2) < 0.08


def test_frame_compares_the_border_with_the_inside() -> None:
    assert frame(noise()) == pytest.approx(1, abs=0.1)
    framed = noise()
    framed[:, (0, 1, -2, -1)] = 0
    framed[:, :, (0, 1, -2, -1)] = 0
    assert frame(framed) > 3


def test_a_frame_of_one_side_is_a_quarter() -> None:
    ramp = torch.arange(64.0).view(1, -1, 1).expand(3, -1, 64) / 64
    picture = ramp + ramp.mT
    assert frame(picture) == pytest.approx(1, abs=0.01)
    # The first line is 8 lines further away from line 8.
    picture[:, 0] -= 8 / 64
    assert frame(picture) == pytest.approx(1.25, abs=0.05)


def test_a_flat_picture_has_no_frame() -> None:
    assert frame(torch.full((3, 64, 64), 0.5)) == 1
