"""Semantic image synthesis with spatially-adaptive normalization (Park et al., CVPR 2019)."""

from spadepis.spade.generator import SpadeGenerator

__all__ = ["SpadeGenerator"]
