"""How good a result is, in figures that need no other picture than those it was made from."""

from spadepis.quality.appearance import clipped_share, sharpness
from spadepis.quality.colour import ColourStatistics, colour_distance, colour_statistics
from spadepis.quality.features import ChannelStatistics, channel_statistics, feature_distance
from spadepis.quality.structure import boundary_disagreement, edge_similarity
from spadepis.quality.thresholds import FIGURES, Threshold, parse_thresholds

__all__ = [
    "FIGURES",
    "ChannelStatistics",
    "ColourStatistics",
    "Threshold",
    "boundary_disagreement",
    "channel_statistics",
    "clipped_share",
    "colour_distance",
    "colour_statistics",
    "edge_similarity",
    "feature_distance",
    "parse_thresholds",
    "sharpness",
]
