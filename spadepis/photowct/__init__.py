"""Photorealistic whitening and colouring transform, PhotoWCT (Li et al., ECCV 2018)."""

from spadepis.photowct.photowct import PhotoTooSmallError, PhotoWCT
from spadepis.photowct.style_statistics import FeatureStatistics, StyleStatistics

__all__ = ["FeatureStatistics", "PhotoTooSmallError", "PhotoWCT", "StyleStatistics"]
