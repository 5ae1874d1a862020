"""A layer of clouds, ray-marched, in front of a clear sky."""

from dataclasses import dataclass

import numpy as np

from tools.demo_inputs.styles.noise import Array, FractalNoise, smoothstep

__all__ = ["Clouds"]

_STEPS = 36
_LIGHT_STEPS = 4


@dataclass(frozen=True)
class Clouds:
    """A layer of clouds.

    Attributes:
        cover: Threshold of the noise: 0 covers half of the sky, 1 a sixth, -2 nearly all.
        base: Height of the lower side, metres.
        thickness: Metres.
        density: Extinction per metre in the middle of a cloud.
        period: Size of the largest shapes, metres; may differ along the three axes.
        seed: Seed of the shapes.
        wisps: Weight of the small shapes.
    """

    cover: float
    base: float = 1200.0
    thickness: float = 900.0
    density: float = 0.012
    period: tuple[float, float, float] = (9000.0, 9000.0, 4500.0)
    seed: int = 0
    wisps: float = 0.35

    def render(self, sky: Array, rays: Array, sun: Array, sunlight: Array, ambient: Array) -> Array:
        """Put the clouds before the sky.

        Single scattering with the two-lobed phase function of a cloud, the sun's light weakened by
        a short march towards it; light scattered often is the same with a third of the extinction
        and no direction (after Wrenninge et al., "Oz: The Great and Volumetric", 2013).

        Args:
            sky: Radiance of the clear sky, [H, W, 3].
            rays: Directions of the pixels, [H, W, 3].
            sun: Unit vector to the sun.
            sunlight: Irradiance of the sun, [3].
            ambient: Irradiance of the clear sky from above, [3].

        Returns:
            Radiance of the sky with clouds, [H, W, 3].
        """
        noise = FractalNoise(self.seed, (128, 128, 64), exponent=2.1)
        directions = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
        up = np.maximum(directions[..., 2], 0.006)
        cosine = directions @ sun
        phase = 0.7 * _henyey_greenstein(cosine, 0.75) + 0.3 * _henyey_greenstein(cosine, -0.2)
        clear = np.ones(up.shape)
        light = np.zeros(sky.shape)
        length = np.minimum(self.thickness / up, 12 * self.thickness) / _STEPS
        for step in range(_STEPS):
            height = self.thickness * (step + 0.5) / _STEPS
            points = directions * ((self.base + height) / up)[..., None]
            extinction = self._density(noise, points)
            depth = np.zeros(up.shape)
            stride = self.thickness * 0.10
            for ahead in range(_LIGHT_STEPS):
                towards = points + sun * stride * (1.5 * ahead + 0.5)
                depth += self._density(noise, towards) * stride * 1.5
            once = np.exp(-depth) * phase
            often = (0.6 * np.exp(-depth / 3) + 0.4 * np.exp(-depth / 12)) / (4 * np.pi)
            shade = 0.45 + 0.55 * step / _STEPS
            source = (once + 1.6 * often)[..., None] * sunlight + (shade / np.pi) * ambient
            passed = np.exp(-extinction * length)
            light += (clear * (1 - passed))[..., None] * source
            clear = clear * passed
        # Clouds far away fade into the sky's horizon.
        near = np.exp(-(self.base / up) / 60000.0)[..., None]
        seen: Array = near * (light + clear[..., None] * sky) + (1 - near) * sky
        return seen

    def shadow(self, points: Array, sun: Array) -> Array:
        """Part of the sunlight that reaches points [..., 3] on the ground."""
        noise = FractalNoise(self.seed, (128, 128, 64), exponent=2.1)
        above = points + sun * (self.base + self.thickness * 0.4) / max(sun[2], 0.1)
        shadow: Array = np.exp(-self._density(noise, above) * self.thickness * 0.35)
        return shadow

    def _density(self, noise: FractalNoise, points: Array) -> Array:
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        height = (z - self.base) / self.thickness
        large = noise(x, y, z, period=self.period)
        small = noise(x, y, z, period=tuple(length / 5.3 for length in self.period))
        # Flat below, round above.
        profile = 1.2 * height**2 + 3 * smoothstep(0.12, 0.0, height)
        body = large + self.wisps * small - self.cover - profile
        density: Array = self.density * smoothstep(0.0, 0.9, body) * ((height > 0) & (height < 1))
        return density


def _henyey_greenstein(cosine: Array, g: float) -> Array:
    phase: Array = (1 - g * g) / (4 * np.pi * (1 + g * g - 2 * g * cosine) ** 1.5)
    return phase
