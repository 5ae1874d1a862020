"""A scene and its radiance at every pixel: sky, ground, surfels, water and lamps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tools.demo_inputs.styles.atmosphere import Atmosphere, sun_direction
from tools.demo_inputs.styles.camera import Film
from tools.demo_inputs.styles.clouds import Clouds
from tools.demo_inputs.styles.noise import Array
from tools.demo_inputs.styles.surfels import Camera, Surfels, light_depth, splat
from tools.demo_inputs.styles.terrain import Terrain
from tools.demo_inputs.styles.water import Water, reflect

__all__ = ["Haze", "Lamp", "Scene", "render"]

# Extinction of clear air near the ground, per metre.
_AIR: Final = np.array([8e-6, 12e-6, 24e-6])
_SUN_SOLID_ANGLE: Final = 6.8e-5


@dataclass(frozen=True)
class Haze:
    """Haze or fog: extinction per metre at zero height, and the height at which it is 1/e of it."""

    extinction: float = 1.5e-5
    height: float = 1500.0


@dataclass(frozen=True)
class Lamp:
    """A small light that shines all round: place [3] and radiant intensity [3]."""

    position: Array
    intensity: Array


@dataclass(frozen=True)
class Scene:
    """What is photographed, in which light, on which film.

    Attributes:
        camera: The camera, with two samples to a pixel of the picture each way.
        terrain: The ground.
        cover: Albedo of the ground [..., 3] from its position and normal, [..., 3] each.
        surfels: What stands on the ground.
        sun: Elevation and azimuth of the sun, degrees.
        film: The film.
        sun_shown: Part of the sunlight that gets through the clouds before the sun.
        overcast: Part of the ambient light that comes from the clouds in the picture.
        glow: Radiance added to the sky: a town's or the moon's light.
        air: The clear sky's atmosphere.
        clouds: Clouds in the sky.
        haze: Haze near the ground.
        water: Fills the ground up to zero height.
        lamps: Lights.
        patchy: Whether the clouds' shadows lie on the ground.
    """

    camera: Camera
    terrain: Terrain
    cover: Callable[[Array, Array], Array]
    surfels: list[Surfels]
    sun: tuple[float, float]
    film: Film
    sun_shown: float = 1.0
    overcast: float = 0.0
    glow: tuple[float, float, float] = (0.0, 0.0, 0.0)
    air: Atmosphere = field(default_factory=Atmosphere)
    clouds: Clouds | None = None
    haze: Haze = field(default_factory=Haze)
    water: Water | None = None
    lamps: tuple[Lamp, ...] = ()
    patchy: bool = False


@dataclass(frozen=True)
class _Light:
    """Daylight: the direction to the sun, its irradiance, and the sky's on a horizontal plane."""

    towards: Array
    sun: Array
    sky: Array


def render(scene: Scene) -> Array:
    """Linear radiance of a scene, [height, width, 3] of its camera."""
    rays = scene.camera.rays()
    sky, horizon, light = _daylight(scene, rays)
    everything = Surfels.join([_ground(scene, rays), *scene.surfels])
    seen = splat(scene.camera, everything, np.full(rays.shape[:2], np.inf))
    solid = seen >= 0
    visible = everything.where(seen[solid])
    picture = sky.copy()
    picture[solid] = _shade(scene, visible, everything, light)
    depth = np.where(solid, 0.0, 1e6)
    depth[solid] = visible.position[:, 1]
    picture = _through_haze(scene, picture, horizon, rays, depth)
    if scene.water is not None:
        wet = np.zeros(solid.shape, np.bool_)
        wet[solid] = (np.abs(visible.position[:, 2]) < 1e-6) & (visible.radius == 0)
        water = reflect(scene.water, scene.camera, picture, depth, wet, light.sky)
        picture = np.where(
            wet[..., None], _through_haze(scene, water, horizon, rays, depth), picture
        )
    return picture


def _daylight(scene: Scene, rays: Array) -> tuple[Array, Array, _Light]:
    """The sky behind each pixel, the sky at the horizon below it, and the light on the ground."""
    towards = sun_direction(*scene.sun)
    sunlight = scene.air.sunlight(towards)
    glow = np.array(scene.glow)
    ambient = scene.air.ambient(towards) + np.pi * glow
    # The sky is smooth: every eighth pixel is enough for it, every fourth for the clouds.
    unit = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    directions = unit[::8, ::8]
    clear = _enlarge(scene.air.sky(directions, towards), 8) + glow
    level = directions[:1] * [1, 1, 0] + [0, 0, 0.035]
    level = level / np.linalg.norm(level, axis=-1, keepdims=True)
    horizon = _enlarge(np.repeat(scene.air.sky(level, towards), 2, axis=0), 8)[:1] + glow
    sky = clear
    if scene.clouds is not None:
        few = scene.clouds.render(clear[::4, ::4], rays[::4, ::4], towards, sunlight, ambient)
        sky = _enlarge(few, 4)
    light = sunlight * scene.sun_shown
    # The disc is half a degree wide; a little more, for the air near it is as bright.
    disc = np.clip((unit @ towards - np.cos(np.radians(0.45))) / 2e-5, 0, 1)[..., None]
    sky = sky + disc * light / _SUN_SOLID_ANGLE
    above = sky[rays[..., 2] > 0].reshape(-1, 3)
    clouded = np.pi * np.minimum(above, np.percentile(above, 95)).mean(axis=0)
    ambient = (1 - scene.overcast) * ambient + scene.overcast * clouded
    horizon = (1 - scene.overcast) * horizon + scene.overcast * clouded / np.pi
    return sky, horizon, _Light(towards, light, ambient)


def _ground(scene: Scene, rays: Array) -> Surfels:
    """The ground as one surfel for each pixel that shows it, of no size."""
    depth = scene.terrain.depth(scene.camera)
    if scene.water is not None:
        down = np.minimum(rays[..., 2], -1e-9)
        level = np.where(rays[..., 2] < 0, -scene.camera.eye / down, np.inf)
        depth = np.minimum(depth, np.where(level < 50000, level, np.inf))
    shown = np.isfinite(depth)
    position = rays[shown] * depth[shown][:, None] + [0, 0, scene.camera.eye]
    footprint = np.maximum(depth[shown] / scene.camera.focal_pixels, 0.01)
    normal = scene.terrain.normal(position[:, 0], position[:, 1], footprint * 2)
    return Surfels.of(position, normal, scene.cover(position, normal), radius=0.0)


def _shade(scene: Scene, visible: Surfels, occluders: Surfels, light: _Light) -> Array:
    """Radiance of surfels, [N, 3]: sun, sky from three sides, light off the ground, lamps."""
    near = max(0.06, float(np.median(visible.position[:, 1])) * 0.004)
    blocking = occluders.where((occluders.radius > 0) & (occluders.position[:, 1] < 4000))
    lit = np.exp(-0.6 * light_depth(visible.position, blocking, light.towards, near * 1.5))
    if scene.clouds is not None and scene.patchy:
        lit = lit * scene.clouds.shadow(visible.position, light.towards)
    open_sky = np.zeros(len(lit))
    for slant in ([0.0, 0.0, 1.0], [0.75, -0.45, 0.5], [-0.75, -0.45, 0.5]):
        direction = np.array(slant) / np.linalg.norm(slant)
        open_sky += np.exp(-0.4 * light_depth(visible.position, blocking, direction, 4 * near)) / 3
    facing = visible.normal @ light.towards
    through = visible.translucency
    sun = np.maximum(facing, 0) * (1 - through) + np.abs(facing) * through * 0.9
    irradiance = (lit * sun)[:, None] * light.sun
    irradiance = irradiance + ((0.55 + 0.45 * visible.normal[:, 2]) * open_sky)[:, None] * light.sky
    # Light off the ground from below, and off what blocks the sky from all sides.
    arriving = light.sky + light.sun * max(light.towards[2], 0)
    ground = visible.albedo[visible.radius == 0].mean(axis=0) * arriving * 0.6
    irradiance = irradiance + ((0.5 - 0.5 * visible.normal[:, 2]) * open_sky)[:, None] * ground
    plants = 0.3 * blocking.albedo.mean(axis=0) * (light.sky + 0.3 * light.sun)
    irradiance = irradiance + (1 - open_sky)[:, None] * plants
    for lamp in scene.lamps:
        way = lamp.position - visible.position
        distance = np.linalg.norm(way, axis=-1)
        cosine = (visible.normal * way).sum(axis=-1) / np.maximum(distance, 1e-3)
        falls = np.maximum(cosine, 0) * (1 - through) + np.abs(cosine) * through
        irradiance = irradiance + (falls / (distance**2 + 0.5))[:, None] * lamp.intensity
    radiance: Array = visible.albedo / np.pi * irradiance + visible.emission
    return radiance


def _through_haze(scene: Scene, picture: Array, horizon: Array, rays: Array, depth: Array) -> Array:
    """Aerial perspective: extinction, and the horizon's light in its place.

    The haze thins out exponentially with height, so its depth along a ray has a closed form.
    """
    length = depth * np.linalg.norm(rays, axis=-1)
    rise = depth * rays[..., 2] / scene.haze.height
    rise = np.where(np.abs(rise) < 1e-4, 1e-4, rise)
    thinning = np.clip((1 - np.exp(-np.clip(rise, -30, 60))) / rise, 0, 50)
    haze = scene.haze.extinction * np.exp(-scene.camera.eye / scene.haze.height) * thinning
    # The clear sky has its air in it already.
    air = np.where(depth < 1e6, 1.0, 0.0)[..., None] * _AIR
    clear = np.exp(-(haze[..., None] + air) * length[..., None])
    seen: Array = clear * picture + (1 - clear) * horizon
    return seen


def _enlarge(picture: Array, factor: int) -> Array:
    """Bilinear enlargement of [H, W, C] by a whole factor; samples at the upper left corners."""
    for axis in (0, 1):
        size = picture.shape[axis]
        place = np.arange(size * factor) / factor
        low = place.astype(np.int64)
        part = (place - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        high = np.minimum(low + 1, size - 1)
        picture = picture.take(low, axis) * (1 - part) + picture.take(high, axis) * part
    return picture
