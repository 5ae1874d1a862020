"""The look of a photo: statistics of its colours and of its deep features, and their distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab

from spadepis.quality.gaussians import Gaussian, fit_gaussian, squared_wasserstein_distance


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and standard deviation of each channel of a network's features at one level.

    Attributes:
        mean: [C].
        deviation: [C].
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """Statistics of a photo that do not depend on where things are in it.

    Attributes:
        colours: distribution of the colours of its pixels in CIELAB.
        features: statistics of the features at each level of an encoder.
    """

    colours: Gaussian
    features: Sequence[ChannelStatistics]


def colour_statistics(image: NDArray[np.uint8]) -> Gaussian:
    """Mean and covariance of the colours of uint8 [H,W,3] in CIELAB (D65)."""
    return fit_gaussian(rgb2lab(image).reshape(-1, 3))


def channel_statistics(features: NDArray[np.float32]) -> ChannelStatistics:
    """Mean and standard deviation of each channel of features [C,h,w]."""
    channels = features.reshape(len(features), -1).astype(np.float64)
    return ChannelStatistics(channels.mean(axis=1), channels.std(axis=1))


def colour_distance(a: Gaussian, b: Gaussian) -> float:
    """Distance between the colours of two pictures in units of CIELAB, where 2.3 is just visible.

    It is the Wasserstein distance between Gaussians: how far a pixel has to go, in the root mean
    square, for one picture to get the mean and covariance of the other.
    """
    return float(np.sqrt(squared_wasserstein_distance(a, b)))


def feature_distance(
    picture: Sequence[ChannelStatistics], style: Sequence[ChannelStatistics]
) -> float:
    """Distance between means and standard deviations of features, relative to those of the style.

    Huang and Belongie (ICCV 2017, eq. 13) define a style loss by these statistics. Here the loss
    of each level is divided by that of a picture all of whose features are 0, which therefore has
    the distance 1.

    Args:
        picture: statistics of each level.
        style: statistics of the same levels of the same network.

    Returns:
        The root mean square over levels.
    """
    ratios = []
    for ours, theirs in zip(picture, style, strict=True):
        loss = _sum_of_squares(ours.mean - theirs.mean, ours.deviation - theirs.deviation)
        ratios.append(loss / _sum_of_squares(theirs.mean, theirs.deviation))
    return float(np.sqrt(np.mean(ratios)))


def _sum_of_squares(means: NDArray[np.float64], deviations: NDArray[np.float64]) -> float:
    return float((means**2).sum() + (deviations**2).sum())
