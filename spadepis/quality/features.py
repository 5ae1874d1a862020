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
    """Of features [C,h,w]."""
    channels = features.reshape(len(features), -1).astype(np.float64)
    return ChannelStatistics(channels.mean(axis=1), channels.std(axis=1))


def feature_distance(
    picture: Sequence[ChannelStatistics], style: Sequence[ChannelStatistics]
) -> float:
    """Distance between means and standard deviations of features, relative to those of the style.

    Huang and Belongie (ICCV 2017, eq. 13) take the style loss from these statistics; here each
    level's is divided by what it would be for a picture without any features, so that 1 is as far
    as a black picture of a network without biases would be.

    Args:
        picture: statistics by level.
        style: likewise, of the same levels of the same network.

    Returns:
        The root mean square over levels.
    """
    shares = []
    for ours, theirs in zip(picture, style, strict=True):
        apart = _squares(ours.mean - theirs.mean, ours.deviation - theirs.deviation)
        shares.append(apart / _squares(theirs.mean, theirs.deviation))
    return float(np.sqrt(np.mean(shares)))


def _squares(means: NDArray[np.float64], deviations: NDArray[np.float64]) -> float:
    return float((means**2).sum() + (deviations**2).sum())
