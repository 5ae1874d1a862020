"""What a stylization makes of weak patterns, saturated spots and blocks of JPEG in a photo."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from spadepis.dataset.inputs.image_files import Extent
from spadepis.dataset.inputs.photos import Photo
from spadepis.pipeline.stages.deblock import without_blocks
from spadepis.pipeline.stages.device_transfer import quantize
from spadepis.quality.appearance import blockiness
from tools.model_evaluation.photowct_figures import smooth_picture

# The side of the patch of a photo in which stripes are measured.
PATCH = 64
# Stripes that can hardly be seen: their amplitude, and their periods in pixels.
AMPLITUDE = 1.5 / 255
PERIODS = (3, 4, 6, 8)
# A patch is flat if its details have a smaller standard deviation.
LARGEST_DETAIL = 1 / 255

# From this value on, a pixel is saturated; a photo with so many of them, away from the border of
# the spots, takes part.
SATURATED = 254.5 / 255
SMALLEST_SPOT = 200

QUALITY = 40
PHOTOS_BETWEEN_COMPRESSED = 4


# Gives a content [3,H,W] the look of a style, both in [0,1].
Stylizer = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Artifacts:
    """What a method makes of faults of the content, before and after smoothing, as [n,2].

    Attributes:
        gains: of each photo and kind of stripes, how often the power of the stripes.
        dither: of each photo with saturated spots, the details in them in levels of 255.
        blockiness: of each photo that was saved as JPEG.
        deblocked: the same with ``--deblock``.
    """

    gains: NDArray[np.float64]
    dither: NDArray[np.float64]
    blockiness: NDArray[np.float64]
    deblocked: NDArray[np.float64]


def find_artifacts(stylize: Stylizer, pairs: Sequence[tuple[Tensor, Tensor]]) -> Artifacts:
    """Measure a method on pairs of content and style."""

    def made(content: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        stylized = stylize(content, style).clamp(0, 1)
        return stylized, smooth_picture(content, stylized)

    gains, dithers, with_blocks, without = [], [], [], []
    for number, (photo, style) in enumerate(pairs):
        patch = flattest_patch(photo)
        if patch is not None:
            rows, columns = patch
            for content, period, vertical in stripes_in(photo):
                before, *after = (
                    stripe_power(picture[:, rows, columns], period, vertical)
                    for picture in (content, *made(content, style))
                )
                gains.append([power / before for power in after])
        spots = saturated_spots(photo)
        if spots is not None:
            dithers.append([dither(picture, spots) for picture in made(photo, style)])
        if number % PHOTOS_BETWEEN_COMPRESSED == 0:
            content = compressed(photo)
            with_blocks.append([blockiness(as_pixels(one)) for one in made(content, style)])
            content = deblocked(content)
            without.append([blockiness(as_pixels(one)) for one in made(content, style)])
    return Artifacts(
        *(np.reshape(found, (-1, 2)) for found in (gains, dithers, with_blocks, without))
    )


def stripes_in(photo: Tensor) -> Iterator[tuple[Tensor, int, bool]]:
    """A photo [3,H,W] in [0,1] with weak stripes, their period, and whether they are vertical."""
    for period in PERIODS:
        for vertical in (False, True):
            length = photo.shape[2 if vertical else 1]
            wave = AMPLITUDE * torch.sin(2 * math.pi * torch.arange(length) / period)
            yield (photo + (wave if vertical else wave[:, None])).clamp(0, 1), period, vertical


def flattest_patch(photo: Tensor) -> tuple[slice, slice] | None:
    """Rows and columns of the flattest patch that is neither black nor saturated.

    None if no patch is flat.

    Args:
        photo: [3,H,W] in [0,1].
    """
    luminance = transforms.rgb_to_grayscale(photo)
    padded = F.pad(luminance[None], (4, 4, 4, 4), mode="reflect")
    details = (luminance - F.avg_pool2d(padded, 9, stride=1)[0]).square()
    usable = ((luminance > 0.03) & (luminance < 0.97)).float()
    step = PATCH // 4
    variances = F.avg_pool2d(details, PATCH, step)[0]
    variances = variances.where(F.avg_pool2d(usable, PATCH, step)[0] > 0.99, torch.inf)
    row, column = divmod(int(variances.argmin()), variances.shape[1])
    if not variances[row, column] < LARGEST_DETAIL**2:
        return None
    top, left = step * row, step * column
    return slice(top, top + PATCH), slice(left, left + PATCH)


def stripe_power(patch: Tensor, period: int, vertical: bool) -> float:
    """Squared amplitude of stripes in the luminance of a patch [3,64,64] under a Hann window.

    Args:
        patch: in [0,1].
        period: of the stripes, in pixels.
        vertical: whether the stripes are vertical.
    """
    luminance = transforms.rgb_to_grayscale(patch)[0].double()
    line = torch.hann_window(PATCH, periodic=False, dtype=torch.float64)
    window = line[:, None] * line / line.sum() ** 2
    centred = (luminance - (luminance * window).sum()) * window
    across = centred.sum(dim=0 if vertical else 1)
    phases = 2 * math.pi * torch.arange(PATCH, dtype=torch.float64) / period
    return float((2 * (across * torch.exp(-1j * phases)).sum()).abs() ** 2)


def saturated_spots(photo: Tensor) -> Tensor | None:
    """Which pixels [H,W] of a photo [3,H,W] lie in saturated spots, 4 pixels off their border.

    None if they are few.
    """
    saturated = (photo >= SATURATED).all(dim=0)
    inside = -F.max_pool2d(-saturated[None].float(), 9, stride=1, padding=4)[0] > 0
    return inside if int(inside.sum()) >= SMALLEST_SPOT else None


def dither(picture: Tensor, spots: Tensor) -> float:
    """Standard deviation of details of the luminance in spots, in levels of 255.

    Details are differences from the mean of 5x5 pixels.

    Args:
        picture: [3,H,W] in [0,1].
        spots: bool [H,W], at least 2 pixels from the border of what is measured.
    """
    luminance = transforms.rgb_to_grayscale(picture)
    padded = F.pad(luminance[None], (2, 2, 2, 2), mode="reflect")
    details = (luminance - F.avg_pool2d(padded, 5, stride=1)[0])[0]
    return float(details[spots].square().mean().sqrt() * 255)


def compressed(photo: Tensor) -> Tensor:
    """A photo [3,H,W] in [0,1], saved as JPEG of quality 40 and read again."""
    file = io.BytesIO()
    Image.fromarray(as_pixels(photo)).save(file, "JPEG", quality=QUALITY)
    return as_picture(np.asarray(Image.open(file)))


def deblocked(photo: Tensor) -> Tensor:
    """A photo [3,H,W] in [0,1] after ``--deblock``."""
    pixels = as_pixels(photo)
    return as_picture(without_blocks(Photo(pixels, Extent(pixels.shape[:2]))))


def as_pixels(picture: Tensor) -> NDArray[np.uint8]:
    """A picture [3,H,W] in [0,1] as uint8 [H,W,3]."""
    pixels: NDArray[np.uint8] = quantize(picture[None])[0].numpy()
    return pixels


def as_picture(pixels: NDArray[np.uint8]) -> Tensor:
    """Pixels uint8 [H,W,3] as a picture [3,H,W] in [0,1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
