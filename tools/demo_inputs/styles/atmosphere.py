"""Clear-sky light: single scattering in a spherical atmosphere, and what it does to sunlight.

After Nishita et al., "Display of The Earth Taking into Account Atmospheric Scattering" (SIGGRAPH
1993) and Bruneton and Neyret, "Precomputed Atmospheric Scattering" (EGSR 2008): air (Rayleigh) and
aerosols (Mie) with exponential density, ray-marched at three wavelengths, with the ozone layer that
makes the blue hour blue. Light scattered more than once enters as an isotropic source. Vectors are
(right, forward, up); the sun's irradiance above the atmosphere is 1 in each channel.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from tools.demo_inputs.styles.noise import Array, smoothstep

__all__ = ["Atmosphere", "sun_direction"]

_EARTH_RADIUS: Final = 6.36e6
_TOP_RADIUS: Final = 6.42e6
# Nanometres; about where the channels of a camera are most sensitive.
_WAVELENGTHS: Final = np.array([610.0, 550.0, 465.0])
_RAYLEIGH_HEIGHT: Final = 8000.0
# Per metre at sea level, for a vertical optical depth of 0.097 at 550 nm (Bodhaine et al., "On
# Rayleigh Optical Depth Calculations", 1999).
_RAYLEIGH: Final = 0.097 / _RAYLEIGH_HEIGHT * (550 / _WAVELENGTHS) ** 4
_MIE_HEIGHT: Final = 1200.0
_MIE_ALBEDO: Final = 0.9
_MIE_ASYMMETRY: Final = 0.76
# Per metre in the middle of the ozone layer: 300 Dobson units as a tent of 15 km about 25 km
# (Hillaire, "A Scalable and Production Ready Sky and Atmosphere Rendering Technique", 2020).
_OZONE: Final = np.array([2.7e-6, 1.8e-6, 0.2e-6])
_OZONE_MIDDLE: Final = 25000.0
_OZONE_HALF_WIDTH: Final = 15000.0


def sun_direction(elevation: float, azimuth: float) -> Array:
    """Unit vector to the sun; degrees above the horizon and to the right of the view axis."""
    up, right = np.radians(elevation), np.radians(azimuth)
    return np.array([np.cos(up) * np.sin(right), np.cos(up) * np.cos(right), np.sin(up)])


@dataclass(frozen=True)
class Atmosphere:
    """Air with some aerosol, seen from near the ground.

    Attributes:
        turbidity: Aerosol content; 1 is a clean day (4e-6 per metre at sea level), 10 a hazy one.
    """

    turbidity: float = 2.0

    def optical_depth(self, origins: Array, directions: Array, steps: int = 24) -> Array:
        """Optical depth from a point to the top of the atmosphere.

        Args:
            origins: Points in metres from the earth's centre, [..., 3].
            directions: Unit vectors, [..., 3].
            steps: Samples along the path, denser near the origin.

        Returns:
            Optical depth in R, G and B, [..., 3]; infinite where the earth is in the way.
        """
        lengths = _distance_to_sphere(origins, directions, _TOP_RADIUS)
        edges = np.linspace(0, 1, steps + 1) ** 2
        depth = np.zeros(np.broadcast_shapes(origins.shape, directions.shape))
        for near, far in pairwise(edges):
            points = origins + directions * (lengths * (near + far) / 2)[..., None]
            depth += self._extinction(_altitude(points)) * (lengths * (far - near))[..., None]
        return np.where(_hits_earth(origins, directions)[..., None], np.inf, depth)

    def sunlight(self, sun: Array) -> Array:
        """Sunlight's irradiance at the ground on a plane that faces the sun, [3]."""
        lifted = sun + np.array([0, 0, max(0.0, 0.002 - sun[2])])
        # The disc, half a degree wide, is cut by the horizon bit by bit.
        shown = smoothstep(-0.012, 0.006, np.asarray(sun[2]))
        light: Array = np.exp(-self.optical_depth(_observer(), lifted)) * shown
        return light

    def sky(self, directions: Array, sun: Array, steps: int = 32) -> Array:
        """Radiance of the clear sky, single scattering and an estimate of the rest.

        Args:
            directions: Unit vectors, [..., 3]; below the horizon the horizon is taken.
            sun: Unit vector to the sun, [3].
            steps: Samples along each line of sight.

        Returns:
            Radiance in R, G and B, [..., 3].
        """
        return self._scatter(directions, sun, steps, self._multiple(sun))

    def ambient(self, sun: Array) -> Array:
        """Irradiance of the clear sky on a horizontal plane, [3]."""
        directions = _hemisphere()
        radiance = self.sky(directions, sun, steps=16)
        irradiance: Array = 2 * np.pi * (radiance * directions[:, 2:]).mean(axis=0)
        return irradiance

    def _multiple(self, sun: Array) -> Array:
        """Mean radiance about a point near the ground, as the source of further scattering."""
        mean = self._scatter(_hemisphere(), sun, 16, np.zeros(3)).mean(axis=0)
        # Half from the sky, half from a ground of albedo 0.3; half as much again for later orders.
        ground = 0.3 / np.pi * (self.sunlight(sun) * max(sun[2], 0.0) + np.pi * mean)
        once: Array = (mean + ground) / 2
        return once * 1.5

    def _scatter(self, directions: Array, sun: Array, steps: int, source: Array) -> Array:
        """Scatter the sun's light once towards the observer, and an isotropic source with it.

        The integral of Nishita et al. (1993) over the line of sight, of density, phase function and
        transmittance both to the sun and to the observer.
        """
        flat = np.maximum(directions[..., 2:], 0.003)
        directions = np.concatenate([directions[..., :2], flat], axis=-1)
        directions = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
        lengths = _distance_to_sphere(_observer(), directions, _TOP_RADIUS)
        rayleigh_phase, mie_phase = _phases(directions @ sun)
        depth = np.zeros(directions.shape)
        radiance = np.zeros(directions.shape)
        edges = np.linspace(0, 1, steps + 1) ** 2
        for near, far in pairwise(edges):
            points = _observer() + directions * (lengths * (near + far) / 2)[..., None]
            altitude = _altitude(points)
            step = (lengths * (far - near))[..., None]
            depth += self._extinction(altitude) * step / 2
            rayleigh = _RAYLEIGH * np.exp(-altitude / _RAYLEIGH_HEIGHT)[..., None]
            mie = self._mie(altitude)[..., None] * _MIE_ALBEDO
            incoming = np.exp(-self.optical_depth(points, sun, steps=10))
            scattered = (rayleigh * rayleigh_phase + mie * mie_phase) * incoming
            radiance += np.exp(-depth) * (scattered + (rayleigh + mie) * source) * step
            depth += self._extinction(altitude) * step / 2
        return radiance

    def _mie(self, altitude: Array) -> Array:
        coefficient: Array = self.turbidity * 4e-6 * np.exp(-altitude / _MIE_HEIGHT)
        return coefficient

    def _extinction(self, altitude: Array) -> Array:
        rayleigh = np.exp(-altitude / _RAYLEIGH_HEIGHT)[..., None] * _RAYLEIGH
        tent = np.maximum(0, 1 - np.abs(altitude - _OZONE_MIDDLE) / _OZONE_HALF_WIDTH)
        extinction: Array = rayleigh + self._mie(altitude)[..., None] + tent[..., None] * _OZONE
        return extinction


def _phases(cosine: Array) -> tuple[Array, Array]:
    """Rayleigh's phase function and Henyey and Greenstein's (1941), [..., 1] each."""
    g = _MIE_ASYMMETRY
    rayleigh = 3 / (16 * np.pi) * (1 + cosine**2)
    mie = (1 - g * g) / (4 * np.pi * (1 + g * g - 2 * g * cosine) ** 1.5)
    return rayleigh[..., None], mie[..., None]


def _observer() -> Array:
    return np.array([0.0, 0.0, _EARTH_RADIUS + 10.0])


def _hemisphere(count: int = 64) -> Array:
    """Directions spread evenly over the upper hemisphere by the golden angle, [count, 3]."""
    index = np.arange(count) + 0.5
    up, turn = index / count, index * np.pi * (3 - np.sqrt(5))
    across = np.sqrt(1 - up**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), up], axis=-1)


def _altitude(points: Array) -> Array:
    altitude: Array = np.maximum(np.linalg.norm(points, axis=-1) - _EARTH_RADIUS, 0)
    return altitude


def _distance_to_sphere(origins: Array, directions: Array, radius: float) -> Array:
    """Distance along the rays to where they leave the sphere about the earth's centre."""
    along = (origins * directions).sum(axis=-1)
    leaving: Array = -along + np.sqrt(along**2 - (origins**2).sum(axis=-1) + radius**2)
    return leaving


def _hits_earth(origins: Array, directions: Array) -> Array:
    along = (origins * directions).sum(axis=-1)
    closest = (origins**2).sum(axis=-1) - along**2
    # Ten metres of slack, for an observer who stands on the ground.
    hit: Array = (along < 0) & (closest < (_EARTH_RADIUS - 10) ** 2)
    return hit
