"""Faults of generated pictures that feature distances overlook: stripes and a frame."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

# Stripes are counted from so many cycles a picture on; slower changes are the scene's own layout.
LOWEST_FREQUENCY = 24
# A picture is compared with itself so many lines further in.
FRAME_LINES = 8


def stripes(image: Tensor) -> float:
    """Share of a picture's power that lies in purely horizontal and vertical frequencies.

    The luminance is weighted by a Hann window, so that its opposite borders, which do not
    continue each other, make no stripes. Of all frequencies of at least 24 cycles a picture, those
    are counted that have at most one cycle along the other axis.

    Args:
        image: [3,H,W] in [0,1].

    Returns:
        The share, 0 to 1; about 0.02 for white noise at 256x256.
    """
    luminance = transforms.rgb_to_grayscale(image)[0].double()
    height, width = luminance.shape
    window = torch.hann_window(height, periodic=False, dtype=torch.float64)[:, None]
    window = window * torch.hann_window(width, periodic=False, dtype=torch.float64)
    mean = (luminance * window).sum() / window.sum()
    power = torch.fft.fft2((luminance - mean) * window).abs().square()
    rows = (torch.fft.fftfreq(height) * height).abs()[:, None]
    columns = (torch.fft.fftfreq(width) * width).abs()
    fast = torch.maximum(rows, columns) >= LOWEST_FREQUENCY
    along_an_axis = torch.minimum(rows, columns) <= 1
    return float(power[fast & along_an_axis].sum() / power[fast].sum())


def frame(image: Tensor) -> float:
    """How much more a picture changes at its border than a little further in.

    Mean absolute difference of the outermost line and the one 8 lines further in, divided by that
    of this line and the next 8 lines in; all four sides together. It is about 1 where a picture
    has no frame.

    Args:
        image: [3,H,W] in [0,1], sides above 32.
    """
    outer = inner = 0.0
    for turned in (image, image.flip(1), image.mT, image.mT.flip(1)):
        first, second, third = (turned[:, number * FRAME_LINES] for number in range(3))
        outer += float((first - second).abs().mean())
        inner += float((second - third).abs().mean())
    return outer / inner if inner else 1.0
