"""The layout of images in the solver: 16 bands side by side.

Pixels in reading order are cut into 16 bands of equal length; element 16 * i + k is pixel i of band
k. The neighbours of 16 elements in a row are then 16 elements in a row again, and all of them fill
one cache line: in reading order most loads of a stencil straddle two, which takes twice the time.
(Dimension-lifting transposition: Henretty et al., "Data Layout Transformation for Stencil
Computations on Short-Vector SIMD Architectures", CC 2011.)

Before and after its pixels a band has a margin as long as the largest offset of the stencil. It
holds the pixels of the neighbouring bands, or zeros where the image ends.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

BANDS = 16

Plane = NDArray[np.float32]


def margin(width: int) -> int:
    """The largest offset of a 5x5 stencil, in pixels."""
    return 2 * width + 2


def band_length(pixels: int, width: int) -> int:
    """Pixels of a band: not fewer than its margin, which the next band copies from it."""
    return max(math.ceil(pixels / BANDS), margin(width))


def zeros(count: int, length: int) -> Plane:
    """Zeros, float32 [count, length], that begin at a cache line."""
    memory = np.zeros(count * length + BANDS, np.float32)
    start = -memory.ctypes.data // memory.itemsize % BANDS
    return memory[start : start + count * length].reshape(count, length)


def to_bands(planes: NDArray[np.floating], width: int) -> Plane:
    """Planes of an image in bands.

    Args:
        planes: floating-point [C, H*W], pixels in reading order.
        width: W.

    Returns:
        float32 [C, N], where N = 16 * (``band_length`` + 2 * ``margin``).
    """
    count, pixels = planes.shape
    edge = margin(width)
    length = band_length(pixels, width)
    padded = np.zeros((count, BANDS * length + 2 * edge), np.float32)
    padded[:, edge : edge + pixels] = planes
    plane_bytes, pixel_bytes = padded.strides
    bands = zeros(count, BANDS * (length + 2 * edge))
    # The margins of a band are what precedes and follows it in reading order.
    bands.reshape(count, -1, BANDS)[:] = as_strided(
        padded,
        (count, length + 2 * edge, BANDS),
        (plane_bytes, pixel_bytes, length * pixel_bytes),
        writeable=False,
    )
    return bands


def from_bands(bands: Plane, pixels: int, width: int) -> Plane:
    """Planes of an image, float32 [C, H*W], from bands [C, N]; undoes ``to_bands``."""
    edge = margin(width)
    inside = bands.reshape(len(bands), -1, BANDS)[:, edge:-edge]
    return inside.swapaxes(1, 2).reshape(len(bands), -1)[:, :pixels]
