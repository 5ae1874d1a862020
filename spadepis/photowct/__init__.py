"""Photorealistic whitening and colouring transform, PhotoWCT (Li et al., ECCV 2018)."""

from spadepis.photowct.photowct import PhotoWCT
from spadepis.photowct.style_statistics import FeatureStatistics, StyleStatistics

__all__ = ["FeatureStatistics", "PhotoWCT", "StyleStatistics"]
