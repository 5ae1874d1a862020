"""Properties of a picture that show flaws without another picture to compare it with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import laplace
from skimage.color import rgb2gray


def clipped_share(image: NDArray[np.uint8]) -> float:
    """The share of pixels of uint8 [H,W,3] that have a channel at 0 or 255."""
    return float(((image == 0) | (image == 255)).any(axis=2).mean())


def sharpness(image: NDArray[np.uint8]) -> float:
    """Standard deviation of the Laplacian of the luminance of uint8 [H,W,3], in 8-bit levels.

    Pech-Pacheco et al. (ICPR 2000) use its square. Blur lowers it, and noise raises it.
    """
    return float(laplace(rgb2gray(image) * 255).std())
