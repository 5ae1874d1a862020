"""From radiance to a photograph: lens, exposure, film curve, grain and 8 bits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.demo_inputs.styles.noise import Array

__all__ = ["Film", "develop"]


@dataclass(frozen=True)
class Film:
    """How a picture is exposed and developed.

    Attributes:
        white: Colour of light, linear RGB, that comes out grey.
        key: Grey that the middle of the picture is exposed for.
        contrast: Exponent about the key.
        saturation: Factor on colourfulness.
        glare: Part of the light that the lens scatters widely.
        grain: Standard deviation of the sensor's noise, of 1.
    """

    white: tuple[float, float, float] = (1.0, 1.0, 1.0)
    key: float = 0.2
    contrast: float = 1.0
    saturation: float = 1.0
    glare: float = 0.05
    grain: float = 0.008


def develop(radiance: Array, film: Film, seed: int = 0) -> NDArray[np.uint8]:
    """Photograph a scene.

    Args:
        radiance: Linear RGB, [2H, 2W, 3]: two samples to a pixel each way.
        film: The film.
        seed: Seed of the grain.

    Returns:
        sRGB, uint8 [H, W, 3].
    """
    light = radiance / np.array(film.white)
    level = np.exp(np.log(_luminance(light) + 1e-9).mean())
    light = np.minimum(light * film.key / level, 60.0)
    # A lens and the filter before the sensor blur by about half a pixel.
    light = _scatter(_blur(_halve(light), 0.45), film.glare)
    height, width = light.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    # Natural vignetting, the fourth power of the cosine, of a lens of medium length.
    light = light / (1 + 0.09 * (x**2 + y**2 * 0.6))[..., None] ** 2
    luminance = _luminance(light)[..., None]
    toned = film.key * (luminance / film.key) ** film.contrast
    light = toned / luminance.clip(1e-9) * (luminance + film.saturation * (light - luminance))
    light = _filmic(light.clip(0))
    light = _sharpen(light)
    noise: Array = np.random.default_rng(seed).standard_normal((height, width, 3))
    noise = 0.6 * noise + 0.8 * noise.mean(axis=-1, keepdims=True)
    noise = _blur(noise, 0.7) * 2.2
    light = light + film.grain * noise * np.sqrt(0.02 + light.clip(0))
    return np.round(_srgb(light.clip(0, 1)) * 255).astype(np.uint8)


def _luminance(light: Array) -> Array:
    luminance: Array = light @ np.array([0.2126, 0.7152, 0.0722])
    return luminance


def _filmic(light: Array) -> Array:
    """The film curve of Narkowicz ("ACES Filmic Tone Mapping Curve", 2015)."""
    curve: Array = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return curve


def _srgb(light: Array) -> Array:
    """The transfer function of IEC 61966-2-1."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _halve(light: Array) -> Array:
    height, width, channels = light.shape
    halved: Array = light.reshape(height // 2, 2, width // 2, 2, channels).mean(axis=(1, 3))
    return halved


def _scatter(light: Array, part: float) -> Array:
    """Glare: a narrow and a wide halo about what is bright."""
    narrow, wide = _blur(light, light.shape[1] / 150), _blur(light, light.shape[1] / 25)
    return (1 - part) * light + part * (0.6 * narrow + 0.4 * wide)


def _sharpen(light: Array) -> Array:
    return light + 0.2 * (light - _blur(light, 1.0))


def _blur(picture: Array, sigma: float) -> Array:
    """Gaussian blur of [H, W, C], mirrored at the rim."""
    reach = int(np.ceil(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        size = picture.shape[axis]
        rim = [(reach, reach) if a == axis else (0, 0) for a in range(picture.ndim)]
        padded = np.pad(picture, rim, mode="symmetric").swapaxes(0, axis)
        blurred = sum(tap * padded[i : i + size] for i, tap in enumerate(taps))
        picture = np.swapaxes(blurred, 0, axis)
    return picture
