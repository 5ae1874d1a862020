"""Changed looks by plain formulas: night and snow for tests, colour jitter for training."""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torchvision.transforms import v2

# Rec. 709 luminance.
LUMINANCE = (0.2126, 0.7152, 0.0722)
# Of the display: light is about the value to this power.
GAMMA = 2.2

# Light at night, as a share of that by day, and what is left of each colour.
NIGHT_EXPOSURE = 0.12
NIGHT_TINT = (0.7, 0.85, 1.2)
NIGHT_SATURATION = 0.5
# Half the angle of view across the diagonal, as a tangent.
VIEW_TANGENT = 0.6
# Variance of the noise: so much of the light, and so much without any.
SHOT_NOISE, READ_NOISE = 3e-4, 2e-6

SNOW_COLOUR = (0.90, 0.93, 0.97)
SNOW_SATURATION = 0.5
# How much snow lies on ground and on plants, between bare and deep patches.
GROUND_COVER, PLANT_COVER = (0.5, 1.0), (0.0, 0.6)
# Patches of snow across the longer side of a picture.
PATCHES = 8
# What shading is left on snow.
SNOW_SHADING = 0.3

_JITTER = v2.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)


def night(photo: Tensor, random: Generator) -> Tensor:
    """A photo as an under-exposed one at night.

    In linear light: less of it, bluer and less saturated, falling off towards the corners with
    the fourth power of the cosine, and Gaussian noise whose variance grows linearly with the
    light (Foi et al., Practical Poissonian-Gaussian noise modeling, 2008, equation 4).

    Args:
        photo: RGB [3,H,W] in [0,1].
        random: of the noise.

    Returns:
        RGB [3,H,W] in [0,1].
    """
    light = NIGHT_EXPOSURE * _desaturated(photo.pow(GAMMA), NIGHT_SATURATION)
    light = light * torch.tensor(NIGHT_TINT).view(3, 1, 1) * _vignette(*photo.shape[1:])
    noise = torch.randn(photo.shape, generator=random)
    light = light + (SHOT_NOISE * light + READ_NOISE).sqrt() * noise
    return light.clamp(0, 1).pow(1 / GAMMA)


def snow(
    photo: Tensor,
    labels: Tensor,
    ground: Collection[int],
    plants: Collection[int],
    random: Generator,
) -> Tensor:
    """A photo with snow on what looks up, in the dull light of a winter day.

    Snow lies in smooth random patches, deeper on the ground than on plants. It has a colour of
    its own, and keeps a little of the shading below it.

    Args:
        photo: RGB [3,H,W] in [0,1].
        labels: class indices [H,W].
        ground: classes that snow covers.
        plants: classes that snow covers in part.
        random: of the patches.

    Returns:
        RGB [3,H,W] in [0,1].
    """
    height, width = labels.shape
    coarse = torch.rand(1, 1, max(1, PATCHES * height // width), PATCHES, generator=random)
    patches = F.interpolate(coarse, (height, width), mode="bilinear")[0, 0]
    cover = torch.zeros(height, width)
    for classes, (least, most) in ((ground, GROUND_COVER), (plants, PLANT_COVER)):
        there = torch.isin(labels, torch.tensor(list(classes), dtype=labels.dtype))
        cover = torch.where(there, least + (most - least) * patches, cover)
    shading = 1 - SNOW_SHADING + SNOW_SHADING * _luminance(photo)
    white = shading * torch.tensor(SNOW_COLOUR).view(3, 1, 1)
    return torch.lerp(_desaturated(photo, SNOW_SATURATION), white, cover)


def jitter(photos: Tensor) -> Tensor:
    """Random brightness, contrast, saturation and hue for each of [N,3,H,W] in [0,1]."""
    return torch.stack([_JITTER(photo) for photo in photos])


def _luminance(photo: Tensor) -> Tensor:
    return (photo * torch.tensor(LUMINANCE).view(3, 1, 1)).sum(dim=0, keepdim=True)


def _desaturated(photo: Tensor, saturation: float) -> Tensor:
    return torch.lerp(_luminance(photo), photo, saturation)


def _vignette(height: int, width: int) -> Tensor:
    """The fourth power of the cosine of the angle to the optical axis, [H,W]."""
    y = torch.linspace(-1, 1, height).unsqueeze(1) * height
    x = torch.linspace(-1, 1, width) * width
    tangent = VIEW_TANGENT * (x**2 + y**2).sqrt() / (height**2 + width**2) ** 0.5
    return torch.reciprocal((1 + tangent**2) ** 2)
