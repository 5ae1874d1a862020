"""Photorealistic smoothing in closed form (Li et al., ECCV 2018), solved iteratively."""

from spadepis.smoothing.closed_form import SmoothingSystem, smooth
from spadepis.smoothing.conjugate_gradient import ConvergenceError
from spadepis.smoothing.torch_solver import smooth_batch

__all__ = ["ConvergenceError", "SmoothingSystem", "smooth", "smooth_batch"]
