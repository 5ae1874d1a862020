"""What the look of a photo is compared by: its colours and its deep features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spadepis.quality.features import ChannelStatistics
from spadepis.quality.gaussians import Gaussian


@dataclass(frozen=True)
class Look:
    """Statistics of a photo that do not depend on where things are in it.

    Attributes:
        colours: distribution of the colours of its pixels in CIELAB.
        features: statistics of the features at each level of an encoder.
    """

    colours: Gaussian
    features: Sequence[ChannelStatistics]
