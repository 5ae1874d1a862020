"""Faults of generated pictures that comparisons of features overlook: stripes and a frame."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from skimage.color import rgb2gray

# Stripes are counted from so many cycles a picture on; slower changes are the scene's own layout.
LOWEST_FREQUENCY = 24
# A picture is compared with itself so many lines further in.
FRAME_LINES = 8


def stripes(image: NDArray[np.uint8]) -> float:
    """Share of a picture's power that lies in purely horizontal and vertical frequencies.

    The luminance is weighted by a Hann window, so that its opposite borders, which do not
    continue each other, make no stripes. Of all frequencies of at least 24 cycles a picture, those
    are counted that have at most one cycle along the other axis.

    Args:
        image: uint8 [H,W,3].

    Returns:
        The share, 0 to 1, about 0.02 for white noise at 256x256; NaN for a picture of a single
        colour, and for one that is too small for such frequencies, or has fewer than 3 rows or
        columns.
    """
    luminance = rgb2gray(image)
    height, width = luminance.shape
    window = np.hanning(height)[:, None] * np.hanning(width)
    # The window is 0 along the border.
    inside = luminance[1:-1, 1:-1]
    if max(height, width) < 2 * LOWEST_FREQUENCY or not inside.size or not np.ptp(inside):
        return float("nan")
    mean = (luminance * window).sum() / window.sum()
    power = np.abs(scipy.fft.fft2((luminance - mean) * window)) ** 2
    rows = np.abs(np.fft.fftfreq(height, 1 / height))[:, None]
    columns = np.abs(np.fft.fftfreq(width, 1 / width))
    fast = np.maximum(rows, columns) >= LOWEST_FREQUENCY
    along_an_axis = np.minimum(rows, columns) <= 1
    return float(power[fast & along_an_axis].sum() / power[fast].sum())


def frame(image: NDArray[np.uint8]) -> float:
    """How much more a picture changes at its border than a little further in.

    Mean absolute difference of the outermost line and the one 8 lines further in, divided by that
    of this line and the next 8 lines in; all four sides together. It is about 1 where a picture
    has no frame.

    Args:
        image: uint8 [H,W,3].

    Returns:
        The ratio; NaN where nothing changes further in, or a side has fewer than 17 pixels.
    """
    if min(image.shape[:2]) <= 2 * FRAME_LINES:
        return float("nan")
    levels = image.astype(np.float32)
    turned = levels.swapaxes(0, 1)
    outer = inner = 0.0
    for side in (levels, levels[::-1], turned, turned[::-1]):
        first, second, third = (side[number * FRAME_LINES] for number in range(3))
        outer += float(np.abs(first - second).mean())
        inner += float(np.abs(second - third).mean())
    return outer / inner if inner else float("nan")
