"""A street between two rows of houses, ray-cast as planes into one surfel for each pixel."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tools.demo_inputs.styles.noise import Array, FractalNoise, smoothstep
from tools.demo_inputs.styles.scene import Lamp
from tools.demo_inputs.styles.surfels import Camera, Surfels

__all__ = ["street_cover", "street_fronts", "street_lights"]

_FLOOR: Final = 3.3
_BAY: Final = 2.3
_HOUSE: Final = 11.5
_PLASTERS: Final = np.array(
    [[0.42, 0.34, 0.24], [0.30, 0.16, 0.11], [0.45, 0.42, 0.36], [0.22, 0.18, 0.16]]
)


def street_fronts(camera: Camera, half_width: float, length: float, seed: int) -> Surfels:
    """Fronts of the houses on both sides and across the street's end, windows lit here and there.

    Args:
        camera: The camera, which looks along the street.
        half_width: Distance of the fronts from the middle of the street, metres.
        length: Distance of the houses across its end, metres.
        seed: Seed of heights, colours and lit windows.

    Returns:
        A surfel of no size for each pixel that sees a front.
    """
    rays = camera.rays().reshape(-1, 3)
    side = np.minimum(half_width / np.maximum(np.abs(rays[:, 0]), 1e-9), length)
    position = rays * side[:, None] + [0, 0, camera.eye]
    across = side >= length
    right = np.sign(rays[:, 0])
    normal = np.where(across[:, None], [0.0, -1.0, 0.0], -right[:, None] * [1.0, 0.0, 0.0])
    along = np.where(across, position[:, 0] + 500, position[:, 1] + 700 + 300 * right)
    house = np.floor(along / _HOUSE).astype(np.int64)
    rng = np.random.default_rng(seed)
    storeys = rng.integers(3, 6, 200)[house]
    height = storeys * _FLOOR + 0.9
    # Gables in every second house.
    peak = 1 - np.abs(along / _HOUSE % 1 * 2 - 1)
    height = height + np.where(rng.uniform(size=200)[house] < 0.5, 4.0 * peak, 0.5)
    shown = (position[:, 2] > 0) & (position[:, 2] < height)
    bay = np.floor(along / _BAY).astype(np.int64)
    storey = (position[:, 2] // _FLOOR).astype(np.int64)
    u, v = along / _BAY % 1, position[:, 2] / _FLOOR % 1
    shop = storey == 0
    wide = np.where(shop, 0.42, 0.26)
    window = (np.abs(u - 0.5) < wide) & (v > np.where(shop, 0.12, 0.28)) & (v < 0.82)
    window &= storey < storeys
    pane = window & (np.abs(np.abs(u - 0.5) - wide) > 0.03) & (np.abs(u - 0.5) > 0.015)
    light = _window_light(rng, bay, storey, u, v) * pane[:, None]
    noise = FractalNoise(seed, exponent=1.1)
    weather = np.exp(0.25 * noise(along, position[:, 2], period=8.0))
    wall = _PLASTERS[rng.integers(0, len(_PLASTERS), 200)[house]] * weather[:, None]
    ledge = smoothstep(0.06, 0.0, v)[:, None]
    frame = window & ~pane
    albedo = wall * (1 + 0.5 * ledge)
    albedo = np.where(frame[:, None], 0.4, np.where(pane[:, None], 0.02, albedo))
    front = Surfels.of(position, normal, albedo.clip(0, 0.9), radius=0.0)
    return replace(front, emission=light).where(shown)


def _window_light(
    rng: np.random.Generator,
    bay: NDArray[np.int64],
    storey: NDArray[np.int64],
    u: Array,
    v: Array,
) -> Array:
    """Radiance of the windows, [N, 3]: of warm, neutral and few bluish rooms, brighter above."""
    table = rng.uniform(size=(1000, 12))
    chance = table[bay % 1000, storey % 12]
    lit = chance < np.where(storey == 0, 0.6, 0.3)
    hues = np.array([[1.0, 0.55, 0.22], [1.0, 0.68, 0.36], [1.0, 0.82, 0.58], [0.6, 0.8, 1.0]])
    hue = hues[(chance * 977).astype(np.int64) % 10 // 3]
    strength = np.exp(2.4 * ((chance * 7919) % 1 - 0.5)) * np.where(storey == 0, 0.8, 0.45)
    # A lamp at the ceiling, curtains at the sides, furniture below.
    inside = 0.35 + 0.65 * smoothstep(0.25, 0.85, v)
    inside = inside * (0.65 + 0.35 * np.cos(2 * np.pi * (u - 0.5) * (0.6 + (chance * 313) % 1)))
    goods = FractalNoise(92, exponent=1.2)
    inside = inside * np.exp(0.45 * goods(u + 7 * chance, v, period=2.0))
    light: Array = (lit * strength * inside)[:, None] * hue
    return light


def street_cover(position: Array, normal: Array) -> Array:
    """Albedo of asphalt with a broken line in the middle, kerbs, and pavements of slabs."""
    noise = FractalNoise(91, exponent=1.1)
    x, y, _ = position.T
    tone = np.exp(0.25 * noise(x, y, period=12.0) + 0.12 * noise(x, y, period=1.3))
    asphalt = np.array([0.075, 0.075, 0.08]) * tone[:, None]
    line = (np.abs(x) < 0.08) & (y % 6 < 3)
    asphalt = np.where(line[:, None], 0.45, asphalt)
    joints = (np.abs(x % 0.6 - 0.3) > 0.285) | (np.abs(y % 0.6 - 0.3) > 0.285)
    slabs = np.where(joints, 0.11, 0.2)[:, None] * tone[:, None] * np.array([1.0, 0.97, 0.92])
    kerb = (np.abs(np.abs(x) - 3.9) < 0.12)[:, None]
    albedo = np.where(np.abs(x)[:, None] > 3.9, slabs, asphalt)
    return np.clip(np.where(kerb, 0.3, albedo), 0.01, 0.9)


def street_lights(
    count: int, spacing: float, intensity: Array
) -> tuple[tuple[Lamp, ...], list[Surfels]]:
    """Lamps on posts along both kerbs, and cars' lamps far down the street.

    Args:
        count: Number of lamps on each side.
        spacing: Metres between two of them.
        intensity: Radiant intensity of each, [3].

    Returns:
        The lamps, which light the street, and the surfels of posts, globes and cars' lamps.
    """
    right, row = np.tile([-1.0, 1.0], count), np.repeat(np.arange(count), 2)
    globes = np.stack([4.4 * right, 9 + spacing * row + 4 * right, np.full(2 * count, 5.6)], -1)
    up = np.linspace(0, 5.5, 400)[:, None, None] * np.array([0, 0, 1.0])
    posts = (globes * [1, 1, 0] + up).reshape(-1, 3)
    towards = np.broadcast_to([0.0, -1.0, 0.3], posts.shape)
    rear = np.array([[1.2, 62, 0.75], [2.4, 62, 0.75], [1.4, 95, 0.75], [2.5, 95, 0.75]])
    head = rear * [-1, 0.84, 0.9]
    surfels = [
        Surfels.of(posts, towards, np.full(3, 0.06), 0.06),
        Surfels.glowing(globes, 0.8 * intensity, 0.16),
        Surfels.glowing(rear, np.array([9.0, 0.5, 0.25]), 0.11),
        Surfels.glowing(head, np.array([22.0, 21.0, 19.0]), 0.10),
    ]
    return tuple(Lamp(globe, intensity) for globe in globes), surfels
