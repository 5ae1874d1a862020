"""What is wrong with a picture by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import laplace
from skimage.color import rgb2gray


def clipped_share(image: NDArray[np.uint8]) -> float:
    """Share of pixels of uint8 [H,W,3] with a channel that is 0 or 255."""
    return float(((image == 0) | (image == 255)).any(axis=2).mean())


def sharpness(image: NDArray[np.uint8]) -> float:
    """Standard deviation of the Laplacian of the luminance of uint8 [H,W,3], in 8-bit levels.

    Pech-Pacheco et al. (ICPR 2000) use its square. A blurred picture has little, noise has much.
    """
    return float(laplace(rgb2gray(image) * 255).std())
