"""Fractal noise: periodic Gaussian fields with a power-law spectrum, sampled at any point.

Natural scenes have amplitude spectra close to 1/f (Field, "Relations between the statistics of
natural images and the response properties of cortical cells", 1987), and so have these fields.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "FractalNoise", "smoothstep"]

Array = NDArray[np.floating[Any]]


class FractalNoise:
    """A periodic fractal field of zero mean and unit variance."""

    def __init__(self, seed: int, shape: Sequence[int] = (512, 512), exponent: float = 1.6) -> None:
        """Synthesize the field by shaping the spectrum of white noise.

        Args:
            seed: Seed of the white noise.
            shape: Samples along each axis of a period, two or three axes.
            exponent: The amplitude at frequency f is proportional to f ** -exponent.
        """
        white = np.random.default_rng(seed).standard_normal(shape)
        frequencies = np.meshgrid(*(np.fft.fftfreq(n) * max(shape) for n in shape), indexing="ij")
        radius = np.sqrt(sum(frequency**2 for frequency in frequencies))
        radius.flat[0] = np.inf
        field = np.fft.ifftn(np.fft.fftn(white) * radius**-exponent).real
        self.field: Array = (field / field.std()).astype(np.float32)

    def __call__(self, *coordinates: Array, period: float | Sequence[float]) -> Array:
        """Sample the field, interpolating linearly along each axis.

        Args:
            *coordinates: A coordinate array for each axis, of one shape.
            period: Length after which the field repeats, one for all axes or one for each.

        Returns:
            Values, float32 of the coordinates' shape.
        """
        shape = self.field.shape
        periods = np.broadcast_to(np.asarray(period, np.float64), len(shape))
        below, weights = [], []
        for coordinate, size, length in zip(coordinates, shape, periods, strict=True):
            position = np.mod(np.asarray(coordinate, np.float64) / length, 1.0) * size
            cell = np.floor(position)
            below.append(cell.astype(np.int32) % size)
            weights.append((position - cell).astype(np.float32))
        total = np.zeros(np.shape(weights[0]), np.float32)
        flat = self.field.ravel()
        for corner in np.ndindex(*(2,) * len(shape)):
            index = np.zeros(np.shape(below[0]), np.int32)
            weight = np.ones(np.shape(weights[0]), np.float32)
            for step, size, cell, upper in zip(corner, shape, below, weights, strict=True):
                index = index * size + (cell + step) % size
                weight = weight * (upper if step else 1 - upper)
            total += weight * flat.take(index)
        return total


def smoothstep(start: float, end: float, x: Array) -> Array:
    """Rise from 0 at ``start`` to 1 at ``end`` along a cubic with flat ends."""
    t = np.clip((x - start) / (end - start), 0, 1)
    rise: Array = t * t * (3 - 2 * t)
    return rise
