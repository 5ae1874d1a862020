"""Closed-form photorealistic smoothing.

Li et al., "A Closed-form Solution to Photorealistic Image Stylization" (ECCV 2018, eq. 4 to 6). A
stylized photo Y is pulled towards an image R in which pixels that the content photo ties
together look alike:

    R = (1 - beta) (Id - beta S)^-1 Y,    S = D^-1/2 W D^-1/2,

where W is the matting affinity of the content and D its row sums, the number of 3x3 windows over
each pixel. The matrix is solved as A R = (1 - beta) Y with

    A = (1 - beta) Id + beta D^-1/2 (D - W) D^-1/2,

which is symmetric, has no eigenvalue below 1 - beta, and has at most 25 entries in a row.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spadepis.smoothing.bands import from_bands, margin, to_bands
from spadepis.smoothing.conjugate_gradient import Stencil, conjugate_gradients
from spadepis.smoothing.matting_affinity import OFFSETS, matting_affinity, window_counts

# As no eigenvalue of A is below 1 - beta, the RMS error of a solution is at most this times the
# RMS of Y: half of an 8-bit level. On nine stylized photos no pixel was off by a fifth of a level.
TOLERANCE = 2e-3
# About 350 are needed at beta = 0.9999, and 4000 at 0.999999, for images of any size.
MAX_ITERATIONS = 20_000
PADDING = 2


class SmoothingSystem:
    """The linear system that a content photo defines, for any number of stylized photos.

    Args:
        content: [H, W, 3], uint8 or floating-point in [0, 1].
        beta: weight of the content's affinity against fidelity to Y, at least 0 and below 1. Above
            1 - 1e-6, float32 leaves errors of more than a level of 255.
        epsilon: regularisation of the colour covariance in a window, above 0.

    Raises:
        ValueError: the content has another shape or dtype, is empty or not finite, or beta or
            epsilon is out of range.
    """

    def __init__(self, content: ArrayLike, beta: float = 0.9999, epsilon: float = 1e-7) -> None:
        if not 0 <= beta < 1:
            raise ValueError(f"beta must be at least 0 and below 1, got {beta}")
        if not epsilon > 0:
            raise ValueError(f"epsilon must be above 0, got {epsilon}")
        pixels = _in_unit_range(content, "content")
        if pixels.ndim != 3:
            raise ValueError(f"content must be [H, W, 3], got shape {pixels.shape}")
        self.beta = beta
        self.height, self.width = pixels.shape[:2]
        self._stencil = _stencil(pixels.astype(np.float64), beta, epsilon)

    def solve(self, stylized: ArrayLike) -> NDArray[np.float32]:
        """Smooth stylized photos of the content's size.

        Args:
            stylized: Y, [..., H, W, 3], uint8 or floating-point in [0, 1].

        Returns:
            R, float32 of the shape of Y, not clipped.

        Raises:
            ValueError: the size is not that of the content, the dtype is another, or a value
                is not finite.
            ConvergenceError: the solver does not reach the tolerance.
        """
        pixels = _in_unit_range(stylized, "stylized")
        if pixels.shape[-3:-1] != (self.height, self.width):
            raise ValueError(
                f"stylized must be [..., {self.height}, {self.width}, 3] like the content, "
                f"got shape {pixels.shape}"
            )
        smoothed = np.empty(pixels.shape, np.float32)
        flat = (-1, self.height * self.width, 3)
        # One photo at a time: its vectors stay in the cache, which gains more than reading the
        # stencil once for all photos.
        for y, r in zip(pixels.reshape(flat), smoothed.reshape(flat), strict=True):
            x = to_bands(y.T, self.width)
            b = to_bands(y.T.astype(np.float32) * np.float32(1 - self.beta), self.width)
            conjugate_gradients(self._stencil, self.width, b, x, TOLERANCE, MAX_ITERATIONS)
            r[:] = from_bands(x, flat[1], self.width).T
        return smoothed


def smooth(content: ArrayLike, stylized: ArrayLike) -> NDArray[np.float32]:
    """Smooth stylized photos, guided by the content photo and aligned with it.

    Both are extended by replicating their border before the solve and cropped after it, so that
    pixels at the border lie in as many windows as the others.

    Args:
        content: [H, W, 3], uint8 or floating-point in [0, 1].
        stylized: Y, [..., H, W, 3], uint8 or floating-point in [0, 1].

    Returns:
        float32 of the shape of Y, clipped to [0, 1].

    Raises:
        ValueError: under the conditions of ``SmoothingSystem`` and its ``solve``.
        ConvergenceError: the solver does not reach the tolerance.
    """
    content = _in_unit_range(content, "content")
    stylized = _in_unit_range(stylized, "stylized")
    if content.ndim != 3 or stylized.shape[-3:] != content.shape:
        raise ValueError(
            "content must be [H, W, 3] and stylized [..., H, W, 3], "
            f"got shapes {content.shape} and {stylized.shape}"
        )
    smoothed = SmoothingSystem(_replicate_border(content)).solve(_replicate_border(stylized))
    inside = slice(PADDING, -PADDING)
    return np.clip(smoothed[..., inside, inside, :], 0, 1)


def _in_unit_range(image: ArrayLike, name: str) -> NDArray[np.floating]:
    pixels = np.asarray(image)
    if pixels.ndim < 3 or pixels.shape[-1] != 3 or 0 in pixels.shape[-3:]:
        raise ValueError(f"{name} must be [..., H, W, 3] and not empty, got shape {pixels.shape}")
    if pixels.dtype == np.uint8:
        return pixels / 255
    if not np.issubdtype(pixels.dtype, np.floating):
        raise ValueError(f"{name} must be uint8 or floating-point, got {pixels.dtype}")
    if not np.isfinite(pixels).all():
        raise ValueError(f"{name} has values that are not finite")
    return pixels


def _replicate_border(image: NDArray[np.floating]) -> NDArray[np.floating]:
    sides = (PADDING, PADDING)
    return np.pad(image, [(0, 0)] * (image.ndim - 3) + [sides, sides, (0, 0)], mode="edge")


def _stencil(content: NDArray[np.float64], beta: float, epsilon: float) -> Stencil:
    """Assemble A in float64 and store it in float32, in the layout of ``conjugate_gradients``."""
    height, width, _ = content.shape
    pixels, edge = height * width, margin(width)
    affinity = matting_affinity(content, epsilon).reshape(len(OFFSETS), pixels)
    counts = window_counts(height, width).ravel()
    # Pixels in no window have affinity 0, so that any value serves as their root.
    root = np.pad(np.maximum(counts, 1) ** -0.5, edge)
    for weights, (rows, columns) in zip(affinity, OFFSETS, strict=True):
        neighbour = edge + rows * width + columns
        laplacian = (counts if rows == columns == 0 else 0) - weights
        roots = root[edge : edge + pixels] * root[neighbour : neighbour + pixels]
        weights[:] = beta * laplacian * roots
    affinity[0] += 1 - beta
    return tuple(to_bands(affinity, width))
