"""Water that mirrors what is above it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.demo_inputs.styles.noise import Array, FractalNoise
from tools.demo_inputs.styles.surfels import Camera

__all__ = ["Water", "reflect"]

_SAMPLES = 6


@dataclass(frozen=True)
class Water:
    """Water at zero height.

    Attributes:
        ripples: Standard deviation of its slope.
        period: Size of the largest waves, metres.
        body: Reflectance of what is under the surface, linear RGB; without it the water is only a
            film of rain over the ground.
    """

    ripples: float = 0.02
    period: float = 40.0
    body: tuple[float, float, float] | None = (0.010, 0.022, 0.024)


def reflect(
    water: Water, camera: Camera, picture: Array, depth: Array, wet: NDArray[np.bool_], sky: Array
) -> Array:
    """Draw the water: ripples mirror the picture as if all in it were far away.

    How much they mirror follows Schlick, "An Inexpensive BRDF Model for Physically-based Rendering"
    (1994), with the reflectance 0.02 of water seen from above.

    Args:
        water: The water.
        camera: The camera.
        picture: Radiance of all that is not water, [H, W, 3].
        depth: Forward distances, metres, [H, W].
        wet: Where the water is, [H, W].
        sky: Irradiance of the sky, which lights what is under the surface, [3].

    Returns:
        Radiance with the water, [H, W, 3].
    """
    rng = np.random.default_rng(5)
    waves = FractalNoise(11, exponent=1.3)
    ray = camera.rays()[wet]
    x, y = ray[:, 0] * depth[wet], depth[wet]
    step = np.maximum(water.period / 300, y * y / camera.eye / camera.focal_pixels / 3)
    here = waves(x, y, period=water.period)
    slopes = [
        (waves(x + step, y, period=water.period) - here) / step,
        (waves(x, y + step, period=water.period) - here) / step,
    ]
    unit = ray / np.linalg.norm(ray, axis=-1, keepdims=True)
    below = picture[wet] if water.body is None else np.array(water.body) * sky / np.pi
    total = np.zeros((len(ray), 3))
    overhead = picture[0].mean(axis=0)
    for _ in range(_SAMPLES):
        tilt = [s * water.ripples * water.period / 90 for s in slopes]
        tilt = [t + rng.normal(0, water.ripples * 0.6, len(ray)) for t in tilt]
        normal = np.stack([-tilt[0], -tilt[1], np.ones(len(ray))], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        cosine = (unit * normal).sum(axis=-1, keepdims=True)
        mirrored = unit - 2 * cosine * normal
        ahead = np.maximum(mirrored[:, 1], 0.05)
        column = camera.width / 2 + camera.focal_pixels * mirrored[:, 0] / ahead
        row = camera.horizon * camera.height
        row = row - camera.focal_pixels * np.abs(mirrored[:, 2]) / ahead
        column = np.clip(column, 0, camera.width - 1).astype(np.int64)
        row = np.clip(row, 0, camera.height - 1).astype(np.int64)
        # A wave's own shadow side mirrors other waves; take them to be like the sky.
        image = np.where(wet[row, column][:, None], overhead, picture[row, column])
        fresnel = 0.02 + 0.98 * (1 - np.clip(-cosine, 0, 1)) ** 5
        total += fresnel * image + (1 - fresnel) * below
    result = picture.copy()
    result[wet] = total / _SAMPLES
    return result
