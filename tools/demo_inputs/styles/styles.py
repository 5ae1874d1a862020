"""Eight scenes, each in its own light, weather and season."""

from collections.abc import Callable
from typing import Final

import numpy as np

from tools.demo_inputs.styles import ground, plants
from tools.demo_inputs.styles.atmosphere import Atmosphere
from tools.demo_inputs.styles.camera import Film
from tools.demo_inputs.styles.clouds import Clouds
from tools.demo_inputs.styles.scene import Haze, Scene
from tools.demo_inputs.styles.surfels import Surfels
from tools.demo_inputs.styles.terrain import Relief, Terrain
from tools.demo_inputs.styles.town import street_cover, street_fronts, street_lights
from tools.demo_inputs.styles.water import Water

__all__ = ["STYLES"]

_GREENS: Final = np.array([[0.065, 0.095, 0.03], [0.10, 0.13, 0.04], [0.045, 0.075, 0.03]])
_MEADOW: Final = np.array(
    [[0.10, 0.135, 0.045], [0.15, 0.175, 0.06], [0.26, 0.23, 0.11], [0.065, 0.10, 0.035]]
)


def _clear_noon(width: int, height: int) -> Scene:
    """A meadow with trees, hills and mountains under fair-weather clouds."""
    rng = np.random.default_rng(1)
    terrain = Terrain(
        (
            Relief(0.35, 90, seed=3),
            Relief(16, 1500, begins=120, lift=9, seed=4),
            Relief(220, 9000, begins=3000, lift=420, ridged=True, seed=12, exponent=1.9),
        )
    )
    camera = ground.standing_camera(terrain, width, height, focal=0.9, horizon=0.56)
    places = [(-13, 31, 13), (17, 44, 15), (24, 48, 11), (-28, 62, 14), (-36, 66, 12)]
    trees = [
        plants.broadleaf(rng, size, size * 0.42, 50000, _GREENS, 0.06).at(ground.at(terrain, x, y))
        for x, y, size in places
    ]
    hedge = ground.wood(rng, terrain, 60, (-170, 170), (120, 320), _GREENS)
    return Scene(
        camera,
        terrain,
        ground.meadow(_MEADOW, forest=0.55, rock_above=330, path=True),
        [*trees, *hedge, *ground.turf(rng, terrain, camera, 0.28, _MEADOW)],
        sun=(52, -115),
        film=Film(white=(1.0, 0.94, 0.86), key=0.18, saturation=1.05, contrast=1.08),
        clouds=Clouds(cover=0.45, seed=8),
        haze=Haze(2.0e-5, 1500),
        patchy=True,
    )


def _overcast(width: int, height: int) -> Scene:
    """A lake among wooded mountains under a low ceiling of cloud."""
    rng = np.random.default_rng(2)
    terrain = Terrain(
        (
            Relief(0.35, 30, lift=1.0, seed=31, exponent=1.7),
            Relief(0.8, 60, begins=6, lift=-7, seed=32),
            Relief(30, 1400, begins=380, lift=42, seed=33),
            Relief(260, 7000, begins=1500, lift=430, ridged=True, seed=39, exponent=1.9),
        )
    )
    camera = ground.standing_camera(terrain, width, height, focal=0.85, horizon=0.52)
    spruce = np.array([0.03, 0.055, 0.028])
    far = ground.spruces(rng, terrain, 420, (-420, 420), (560, 900), 500, spruce)
    near = [
        plants.conifer(rng, size, 60000, spruce).at(ground.at(terrain, x, y))
        for x, y, size in [(6.3, 12.5, 11.0), (8.6, 15.5, 14.0)]
    ]
    dull = _MEADOW * [0.8, 0.75, 0.9]
    return Scene(
        camera,
        terrain,
        ground.meadow(dull, forest=0.75, rock_above=420, stony=True),
        [*far, *near, *ground.turf(rng, terrain, camera, 0.2, dull, farthest=10)],
        sun=(38, 30),
        film=Film(white=(0.98, 0.98, 0.97), key=0.14, saturation=0.9),
        sun_shown=0.03,
        overcast=1.0,
        clouds=Clouds(cover=-1.5, density=0.006, thickness=700, base=1100, seed=16, wisps=0.5),
        haze=Haze(1.3e-4, 700),
        water=Water(ripples=0.012, period=12),
    )


def _golden_hour(width: int, height: int) -> Scene:
    """Tall grass on a headland, the sea, and the sun low above it."""
    rng = np.random.default_rng(3)
    terrain = Terrain(
        (
            Relief(0.5, 40, lift=7.0, seed=41),
            Relief(2.0, 160, begins=14, lift=-9.5, seed=42),
            Relief(26, 2600, begins=160, lift=-16, seed=47, exponent=1.9),
        )
    )
    camera = ground.standing_camera(terrain, width, height, focal=0.9, horizon=0.6)
    straw = np.array([[0.22, 0.19, 0.07], [0.34, 0.26, 0.11], [0.12, 0.14, 0.04]])
    return Scene(
        camera,
        terrain,
        ground.meadow(straw, forest=0.3, rock_above=300),
        [*ground.turf(rng, terrain, camera, 0.42, straw)],
        sun=(2.6, 9.0),
        film=Film(white=(0.84, 1.0, 0.90), key=0.115, glare=0.09, saturation=1.2),
        air=Atmosphere(turbidity=3.0),
        clouds=Clouds(
            1.0, 3800, 500, density=0.004, period=(16000.0, 5000.0, 3000.0), seed=5, wisps=0.6
        ),
        haze=Haze(2.5e-5, 800),
        water=Water(ripples=0.06, period=60),
    )


def _dusk(width: int, height: int) -> Scene:
    """A calm lake after sunset, lights on the far shore."""
    rng = np.random.default_rng(4)
    terrain = Terrain(
        (
            Relief(0.3, 30, lift=0.7, seed=51),
            Relief(0.8, 60, begins=5, lift=-6, seed=52),
            Relief(11, 1300, begins=330, lift=19, seed=53),
            Relief(30, 6000, begins=1500, lift=30, ridged=True, seed=57),
        )
    )
    camera = ground.standing_camera(terrain, width, height, focal=0.95, horizon=0.55)
    reeds = np.array([[0.08, 0.08, 0.04], [0.05, 0.06, 0.03]])
    trees = ground.wood(rng, terrain, 150, (-320, 320), (470, 620), _GREENS * 0.7)
    x, y = rng.normal(-60, 90, 46), rng.uniform(440, 560, 46)
    places = np.stack([x, y, terrain.height(x, y).clip(0.5) + rng.uniform(1.5, 7, 46)], axis=-1)
    warm = np.array([1.0, 0.62, 0.28]) * rng.lognormal(0, 0.7, (46, 1)) * 0.028
    return Scene(
        camera,
        terrain,
        ground.meadow(_MEADOW, forest=0.9, rock_above=300),
        [
            *trees,
            Surfels.glowing(places, warm, 0.7),
            *ground.turf(rng, terrain, camera, 0.6, reeds, 8),
        ],
        sun=(-4.2, 12.0),
        air=Atmosphere(turbidity=3.5),
        film=Film(white=(0.96, 1.0, 0.86), key=0.075, grain=0.010, saturation=1.35),
        clouds=Clouds(
            1.1, 5000, 500, density=0.003, period=(24000.0, 6000.0, 3000.0), seed=6, wisps=0.5
        ),
        haze=Haze(5e-5, 300),
        water=Water(ripples=0.008, period=14),
    )


def _fog(width: int, height: int) -> Scene:
    """Spruces and a path in a meadow, row after row fading into fog."""
    rng = np.random.default_rng(5)
    terrain = Terrain((Relief(0.3, 60, seed=61), Relief(7, 700, begins=25, lift=4, seed=64)))
    camera = ground.standing_camera(terrain, width, height, focal=0.9, horizon=0.50)
    spruce = np.array([0.03, 0.05, 0.025])
    rows = [
        *ground.spruces(rng, terrain, 5, (-16, -7), (22, 34), 26000, spruce, (9, 15)),
        *ground.spruces(rng, terrain, 4, (15, 30), (40, 55), 16000, spruce, (10, 16)),
        *ground.spruces(rng, terrain, 40, (-90, 90), (70, 130), 3500, spruce, (8, 17)),
        *ground.spruces(rng, terrain, 120, (-200, 200), (140, 360), 1200, spruce, (8, 20)),
    ]
    wet = _MEADOW * [0.9, 0.8, 1.0]
    return Scene(
        camera,
        terrain,
        ground.meadow(wet, forest=0.0, rock_above=900, path=True),
        [*rows, *ground.turf(rng, terrain, camera, 0.25, wet)],
        sun=(24, 40),
        film=Film(white=(1.0, 0.95, 0.87), key=0.22, saturation=0.85, contrast=1.15),
        sun_shown=0.02,
        overcast=1.0,
        clouds=Clouds(cover=-3, density=0.004, thickness=500, base=500, seed=15),
        haze=Haze(0.011, 90),
    )


def _snow(width: int, height: int) -> Scene:
    """A snow field with laden spruces in low winter sun."""
    rng = np.random.default_rng(6)
    terrain = Terrain(
        (
            Relief(0.16, 40, seed=71, exponent=2.0),
            Relief(0.02, 9, seed=74, exponent=1.8),
            Relief(12, 900, begins=60, lift=8, seed=72, exponent=2.4),
            Relief(260, 8000, begins=2200, lift=420, ridged=True, seed=73, exponent=1.9),
        )
    )
    camera = ground.standing_camera(terrain, width, height, focal=0.9, horizon=0.52)
    spruce = np.array([0.035, 0.055, 0.035])
    trees = [
        *ground.spruces(rng, terrain, 3, (-13, -6), (17, 28), 40000, spruce, (8, 13), 0.8),
        *ground.spruces(rng, terrain, 4, (9, 24), (28, 44), 24000, spruce, (9, 15), 0.8),
        *ground.spruces(rng, terrain, 60, (-80, 80), (70, 150), 3500, spruce, (6, 15), 0.7),
        *ground.spruces(rng, terrain, 160, (-200, 200), (150, 380), 900, spruce, (8, 17), 0.6),
    ]
    return Scene(
        camera,
        terrain,
        ground.snow_cover(),
        trees,
        sun=(13, -62),
        film=Film(white=(1.0, 0.93, 0.86), key=0.38),
        clouds=Clouds(cover=1.2, base=3000, thickness=600, density=0.004, seed=9, wisps=0.6),
        haze=Haze(2.5e-5, 1200),
    )


def _autumn(width: int, height: int) -> Scene:
    """A beech wood with the sun behind its leaves, and the ground full of them."""
    rng = np.random.default_rng(7)
    terrain = Terrain((Relief(0.25, 25, seed=81), Relief(1.2, 120, begins=8, lift=0.5, seed=82)))
    camera = ground.standing_camera(terrain, width, height, focal=0.85, horizon=0.5)
    leaves = np.array(
        [[0.42, 0.17, 0.025], [0.50, 0.30, 0.04], [0.28, 0.075, 0.02], [0.24, 0.22, 0.04]]
    )
    y = 7 + 75 * rng.uniform(0, 1, 64) ** 1.3
    x = rng.uniform(-0.75, 0.75, 64) * y + rng.choice([-2.5, 2.5], 64)
    trees = [
        plants.broadleaf(
            rng, s, s * 0.3, int(90000 / (1 + b / 5)) + 6000, leaves, 0.03 + 0.0012 * b
        ).at(ground.at(terrain, a, b))
        for a, b, s in zip(x, y, rng.uniform(9, 19, 64), strict=True)
    ]
    fallen = np.array(
        [[0.36, 0.15, 0.04], [0.42, 0.26, 0.08], [0.22, 0.10, 0.05], [0.14, 0.08, 0.05]]
    )
    places = ground.strewn(rng, terrain, camera, 130000, 1.5, 45)
    return Scene(
        camera,
        terrain,
        lambda position, normal: np.broadcast_to(fallen[3], position.shape),
        [*trees, plants.litter(rng, places, fallen, 0.035)],
        sun=(31, 28),
        film=Film(white=(0.96, 0.90, 0.82), key=0.13, glare=0.08, contrast=1.1, saturation=1.1),
        haze=Haze(1.2e-4, 100),
    )


def _night(width: int, height: int) -> Scene:
    """A street after rain, its lamps and windows lit."""
    rng = np.random.default_rng(8)
    terrain = Terrain(())
    camera = ground.standing_camera(terrain, width, height, focal=0.85, horizon=0.56)
    lamps, lights = street_lights(7, 17.0, 18 * np.array([1.0, 0.60, 0.27]))
    tree = plants.broadleaf(rng, 7.5, 2.3, 22000, _GREENS * 0.8, 0.06)
    trees = [
        tree.at(np.array([x, y, 0])) for x, y in [(-5.6, 14), (5.8, 22), (-5.7, 33), (5.7, 45)]
    ]
    return Scene(
        camera,
        terrain,
        street_cover,
        [street_fronts(camera, 8.0, 140.0, seed=2), *lights, *trees],
        sun=(-25.0, 0.0),
        film=Film(white=(1.0, 0.84, 0.66), key=0.045, glare=0.10, grain=0.010),
        glow=(0.0050, 0.0046, 0.0054),
        haze=Haze(1e-3, 60),
        water=Water(ripples=0.025, period=3, body=None),
        lamps=lamps,
    )


STYLES: Final[dict[str, Callable[[int, int], Scene]]] = {
    "clear_noon": _clear_noon,
    "overcast": _overcast,
    "golden_hour": _golden_hour,
    "dusk": _dusk,
    "night": _night,
    "fog": _fog,
    "snow": _snow,
    "autumn": _autumn,
}
