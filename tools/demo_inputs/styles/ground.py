"""What lies and grows on the ground of a scene: covers of it, and plants strewn over it."""

from collections.abc import Callable

import numpy as np

from tools.demo_inputs.styles import plants
from tools.demo_inputs.styles.noise import Array, FractalNoise, smoothstep
from tools.demo_inputs.styles.surfels import Camera, Surfels
from tools.demo_inputs.styles.terrain import Terrain

__all__ = ["at", "meadow", "snow_cover", "spruces", "standing_camera", "strewn", "turf", "wood"]

Cover = Callable[[Array, Array], Array]


def standing_camera(
    terrain: Terrain, width: int, height: int, focal: float, horizon: float
) -> Camera:
    """A camera at the height of the eyes of somebody who stands there."""
    ground = float(terrain.height(np.zeros(1), np.zeros(1))[0])
    return Camera(width, height, focal, horizon, ground + 1.7)


def at(terrain: Terrain, x: float, y: float) -> Array:
    """The point of the ground below (x, y), [3]."""
    return np.array([x, y, terrain.height(np.array([x]), np.array([y]))[0] - 0.05])


def strewn(
    rng: np.random.Generator, terrain: Terrain, camera: Camera, count: int, near: float, far: float
) -> Array:
    """Points of the ground, strewn evenly over the picture rather than over the ground, [N, 3]."""
    y = 1 / rng.uniform(1 / far, 1 / near, count)
    x = rng.uniform(-0.6, 0.6, count) * y / camera.focal
    return np.stack([x, y, terrain.height(x, y)], axis=-1)


def turf(
    rng: np.random.Generator,
    terrain: Terrain,
    camera: Camera,
    length: float,
    colours: Array,
    farthest: float = 70,
) -> list[Surfels]:
    """Blades of grass; the nearer they are, the more surfels each needs."""
    turf = []
    for near, far, blades, points in [(1.4, 5, 6000, 90), (5, 14, 12000, 36), (14, 70, 40000, 7)]:
        if near < farthest:
            roots = strewn(rng, terrain, camera, blades, near, min(far, farthest))
            clear = np.abs(_beside_path(roots[:, 0], roots[:, 1]) - 0.75) > 0.32
            fineness = int(points * max(1.0, length / 0.25))
            turf.append(plants.grass(rng, roots[clear], length, colours, fineness))
    return turf


def _beside_path(x: Array, y: Array) -> Array:
    """Distance to the middle of the path, metres."""
    distance: Array = np.abs(x - 1.2 - 2.0 * np.sin(y / 19.0))
    return distance


def wood(
    rng: np.random.Generator,
    terrain: Terrain,
    count: int,
    across: tuple[float, float],
    along: tuple[float, float],
    colours: Array,
) -> list[Surfels]:
    """Broadleaved trees far away."""
    places = zip(rng.uniform(*across, count), rng.uniform(*along, count), strict=True)
    kinds = [
        plants.broadleaf(rng, size, size * 0.48, 3000, colours, leaf_radius=0.2)
        for size in rng.uniform(6, 13, 8)
    ]
    return [kinds[rng.integers(8)].at(at(terrain, x, y)) for x, y in places]


def spruces(
    rng: np.random.Generator,
    terrain: Terrain,
    count: int,
    across: tuple[float, float],
    along: tuple[float, float],
    needles: int,
    colour: Array,
    sizes: tuple[float, float] = (9, 22),
    snow: float = 0.0,
) -> list[Surfels]:
    """Spruces at random places."""
    places = zip(rng.uniform(*across, count), rng.uniform(*along, count), strict=True)
    kinds = [
        plants.conifer(rng, size, needles, colour, snow)
        for size in rng.uniform(*sizes, min(count, 10))
    ]
    return [kinds[rng.integers(len(kinds))].at(at(terrain, x, y)) for x, y in places]


def snow_cover() -> Cover:
    """Cover of snow, with woods and steep rock far away."""
    noise = FractalNoise(23, exponent=1.3)

    def cover(position: Array, normal: Array) -> Array:
        x, y, _ = position.T
        snow = np.array([0.88, 0.90, 0.93]) * (1 + 0.02 * noise(x, y, period=20.0))[:, None]
        wooded = smoothstep(0.0, 0.5, noise(x, y, period=1800.0)) * smoothstep(300, 700, y)
        woods = np.array([0.10, 0.11, 0.11]) * np.exp(0.6 * noise(x, y, period=300.0))[:, None]
        albedo = snow + wooded[:, None] * (woods - snow)
        steep = smoothstep(0.82, 0.68, normal[:, 2] + 0.05 * noise(x, y, period=900.0))
        rock = np.array([0.17, 0.16, 0.155])
        bare: Array = albedo + steep[:, None] * (rock - albedo)
        return bare.clip(0.01, 0.95)

    return cover


def meadow(
    colours: Array, forest: float, rock_above: float, stony: bool = False, path: bool = False
) -> Cover:
    """Cover of grass in patches, woods far away, rock where it is high or steep."""
    fine, coarse = FractalNoise(21, exponent=1.1), FractalNoise(22, exponent=1.6)

    def cover(position: Array, normal: Array) -> Array:
        x, y, z = position.T
        patches = 0.5 + 0.25 * coarse(x, y, period=160.0) + 0.12 * fine(x, y, period=9.0)
        part = np.clip(patches, 0, 1)[:, None]
        albedo = (1 - part) * colours[0] + part * colours[1]
        albedo = (
            albedo * np.exp(0.2 * fine(x, y, period=2.7) + 0.15 * fine(x, y, period=40.0))[:, None]
        )
        dry = smoothstep(0.3, 1.8, coarse(y, x, period=300.0))[:, None] * 0.6
        albedo = (1 - dry) * albedo + dry * colours[2]
        if path:
            ruts = np.abs(_beside_path(x, y) - 0.75)
            bare_earth = smoothstep(0.42, 0.2, ruts + 0.12 * fine(x, y, period=6.0))[:, None]
            albedo = albedo + bare_earth * (np.array([0.16, 0.13, 0.10]) - albedo)
        if stony:
            shingle = smoothstep(0.9, 0.5, z + 0.15 * fine(x, y, period=5.0))[:, None]
            stones = np.array([0.2, 0.19, 0.18]) * np.exp(0.6 * fine(x, y, period=3.0))[:, None]
            albedo = albedo + shingle * (stones - albedo)
        wooded = smoothstep(-0.1, 0.15, coarse(x, y, period=2600.0) + 2.5 * forest - 1.2)
        wooded = (wooded * smoothstep(150, 400, y))[:, None]
        crowns = np.array([0.035, 0.06, 0.02]) * np.exp(0.5 * fine(x, y, period=500.0))[:, None]
        albedo = (1 - wooded) * albedo + wooded * crowns
        bare = smoothstep(0, 120, z - rock_above + 60 * coarse(x, y, period=1500.0))
        bare = np.maximum(bare, smoothstep(0.75, 0.6, normal[:, 2]))[:, None]
        rock = np.array([0.24, 0.22, 0.20]) * np.exp(0.3 * fine(x, y, period=900.0))[:, None]
        mixed: Array = (1 - bare) * albedo + bare * rock
        return mixed.clip(0.005, 0.95)

    return cover
