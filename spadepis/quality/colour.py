"""How far the colours of two pictures are apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab

from spadepis.quality.gaussians import Gaussian, fit_gaussian, squared_wasserstein_distance


def colour_statistics(image: NDArray[np.uint8]) -> Gaussian:
    """Mean and covariance of the colours of uint8 [H,W,3] in CIELAB (D65)."""
    return fit_gaussian(rgb2lab(image).reshape(-1, 3))


def colour_distance(a: Gaussian, b: Gaussian) -> float:
    """Distance between the colours of two pictures in units of CIELAB, where 2.3 is just visible.

    It is the Wasserstein distance between Gaussians: how far a pixel has to go, in the root mean
    square, for one picture to get the mean and covariance of the other.
    """
    return float(np.sqrt(squared_wasserstein_distance(a, b)))
