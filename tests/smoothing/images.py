"""Made-up images that need very different numbers of iterations."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random((*shape, 3))


def gradient(height: int, width: int) -> Array:
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    return np.stack([x, y, x * y], axis=2)


def edge(height: int, width: int) -> Array:
    left = np.arange(width)[None, :, None] < width // 2
    return np.broadcast_to(np.where(left, [0.9, 0.2, 0.1], [0.1, 0.3, 0.8]), (height, width, 3))
