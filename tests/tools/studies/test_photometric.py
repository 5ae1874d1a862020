import math

import pytest
import torch

from tools.studies.augmentation.photometric import jitter, night, snow

ROAD, TREE, SKY = 0, 1, 2


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def grey(value: float) -> torch.Tensor:
    return torch.full((3, 48, 64), value)


def stripes() -> torch.Tensor:
    """Sky above trees above a road; [48,64]."""
    return torch.tensor([SKY, TREE, ROAD]).repeat_interleave(16).unsqueeze(1).repeat(1, 64)


def test_night_is_darker_and_bluer_and_falls_off_towards_the_corners() -> None:
    dark = night(grey(0.5), seeded())
    assert dark.min() >= 0 and dark.max() < 0.5
    red, green, blue = dark.mean(dim=(1, 2)).tolist()
    assert red < green < blue
    middle, corner = dark[:, 20:28, 28:36].mean(), dark[:, :4, :4].mean()
    # In light: the fourth power of the cosine, whose tangent is 0.6 in the very corner.
    assert (corner / middle) ** 2.2 == pytest.approx((1 + 0.6**2) ** -2, abs=0.08)


def test_noise_at_night_grows_with_the_light() -> None:
    light, dim = (night(grey(value), seeded())[:, 16:32, 24:40].pow(2.2) for value in (0.9, 0.3))
    assert light.std() > 1.5 * dim.std() > 0


def test_snow_lies_on_the_ground_more_than_on_plants_and_not_in_the_sky() -> None:
    photo = grey(0.3)
    white = snow(photo, stripes(), [ROAD], [TREE], seeded())
    sky, tree, road = white[:, :16], white[:, 16:32], white[:, 32:]
    assert torch.allclose(sky, photo[:, :16], atol=1e-6)
    assert road.mean() > tree.mean() + 0.1 > sky.mean() + 0.1
    assert white.min() >= 0 and white.max() <= 1
    assert road.std() > 0.01  # patches


def test_snow_takes_colour_away_where_it_does_not_lie() -> None:
    photo = torch.tensor([0.8, 0.2, 0.2]).view(3, 1, 1).repeat(1, 48, 64)
    sky = snow(photo, stripes(), [ROAD], [TREE], seeded())[:, 5, 5]
    luminance = 0.2126 * 0.8 + 0.7874 * 0.2
    assert sky.tolist() == pytest.approx([(luminance + 0.8) / 2, *[(luminance + 0.2) / 2] * 2])


def test_jitter_changes_each_photo_by_itself_and_repeatably() -> None:
    photos = torch.rand(3, 1, 1, generator=seeded()).expand(2, 3, 8, 8)
    torch.manual_seed(1)
    first = jitter(photos)
    torch.manual_seed(1)
    assert torch.equal(first, jitter(photos))
    assert not math.isclose(float(first[0].mean()), float(first[1].mean()), abs_tol=1e-3)
    assert first.min() >= 0 and first.max() <= 1
