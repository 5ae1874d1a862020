"""How far the features of two pictures are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and standard deviation of each channel of a network's features at one level.

    Attributes:
        mean: [C].
        deviation: [C].
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def channel_statistics(features: NDArray[np.float32]) -> ChannelStatistics:
    """Mean and standard deviation of each channel of features [C,h,w]."""
    channels = features.reshape(len(features), -1).astype(np.float64)
    return ChannelStatistics(channels.mean(axis=1), channels.std(axis=1))


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
