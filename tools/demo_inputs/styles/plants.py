"""Trees, grass and fallen leaves as clouds of surfels, in metres, with their foot at the origin."""

from typing import Final

import numpy as np

from tools.demo_inputs.styles.noise import Array
from tools.demo_inputs.styles.surfels import Surfels

__all__ = ["broadleaf", "conifer", "grass", "litter"]

_BARK: Final = np.array([0.10, 0.084, 0.068])
_TWIGS: Final = 220


def broadleaf(
    rng: np.random.Generator,
    height: float,
    spread: float,
    leaves: int,
    colours: Array,
    leaf_radius: float = 0.09,
) -> Surfels:
    """A tree with a trunk, boughs, and a crown of leaves in clusters of clusters.

    Args:
        rng: Random numbers.
        height: Height of the tree.
        spread: Radius of its crown.
        leaves: Number of leaves.
        colours: Albedos that clusters of leaves take mixtures of, [K, 3].
        leaf_radius: Radius of a leaf, or of a tuft of leaves.

    Returns:
        The tree.
    """
    bole = height * 0.28
    crown_height = (height - bole) / 2
    fork = np.array([0, 0, bole])
    middle = np.array([0, 0, bole + crown_height * 0.95])
    extent = np.array([spread, spread, crown_height])
    boughs = middle + _directions(rng, 16) * extent * rng.uniform(0.35, 0.8, (16, 1))
    parent = rng.integers(0, 16, _TWIGS)
    twigs = boughs[parent] + _directions(rng, _TWIGS) * extent * rng.uniform(0.1, 0.45, (_TWIGS, 1))
    thick = height * 0.014
    finest = 0.7 * leaf_radius
    wood = [
        _limb(rng, np.zeros(3), fork, thick * 1.4, thick, finest),
        *(_limb(rng, fork, end, thick * 0.7, thick * 0.25, finest) for end in boughs),
        *(
            _limb(rng, boughs[p], end, thick * 0.25, thick * 0.08, finest)
            for p, end in zip(parent, twigs, strict=True)
        ),
    ]
    cluster = rng.integers(0, _TWIGS, leaves)
    outward = _directions(rng, leaves)
    reach = rng.uniform(0, 1, (leaves, 1)) ** 0.4
    size = rng.uniform(0.08, 0.22, (_TWIGS, 1))[cluster]
    position = twigs[cluster] + outward * reach * size * extent * np.array([1, 1, 0.75])
    from_middle = (position - middle) / extent
    normal = 0.5 * outward + 0.4 * from_middle + 0.5 * _directions(rng, leaves) + [0, 0, 0.25]
    mixture = rng.dirichlet(np.full(len(colours), 0.8), _TWIGS)[cluster]
    albedo = mixture @ colours * rng.lognormal(0, 0.18, (leaves, 1))
    crown = Surfels.of(position, normal, np.clip(albedo, 0, 0.9), leaf_radius, translucency=0.45)
    return Surfels.join([*wood, crown])


def conifer(
    rng: np.random.Generator, height: float, needles: int, colour: Array, snow: float = 0.0
) -> Surfels:
    """A spruce: whorls of drooping branches about a trunk.

    Args:
        rng: Random numbers.
        height: Height of the tree.
        needles: Number of tufts of needles.
        colour: Albedo of the needles, [3].
        snow: Part of the upper side of the branches that is covered with snow.

    Returns:
        The tree.
    """
    count = int(30 + height * 14)
    level = np.sort(rng.uniform(0.0, 1.0, count))
    turn = rng.uniform(0, 2 * np.pi, count)
    length = height * 0.2 * (1 - level) ** 0.85 * rng.uniform(0.65, 1.15, count) + 0.1
    branch = rng.choice(count, needles, p=length**1.6 / (length**1.6).sum())
    along = np.sqrt(rng.uniform(0.01, 1, needles))
    out = along * length[branch]
    heading = np.stack([np.cos(turn), np.sin(turn)], axis=-1)[branch]
    aside = np.stack([-heading[:, 1], heading[:, 0]], axis=-1)
    width = rng.normal(0, 0.17, (needles, 1)) * length[branch, None] * (1.1 - along[:, None])
    droop = out * (0.42 - 0.5 * level[branch]) - 0.12 * out * along**2
    hang = np.abs(rng.normal(0, 0.08, needles)) * length[branch]
    foot = height * (0.09 + 0.92 * level[branch])
    position = np.concatenate(
        [heading * out[:, None] + aside * width, (foot - droop - hang)[:, None]], axis=-1
    )
    normal = np.concatenate([heading * 0.5, np.full((needles, 1), 0.7)], axis=-1)
    normal = normal + 0.7 * _directions(rng, needles)
    albedo = colour * rng.lognormal(0, 0.3, (needles, 1)) * (0.7 + 0.5 * along[:, None])
    # Snow lies on branches in clumps.
    clump = np.sin(9 * along + 7 * turn[branch]) + np.sin(40 * level[branch])
    load = hang < 0.09 * length[branch]
    white = load & (clump + rng.normal(0, 0.5, needles) < 4 * snow - 2)
    albedo[white] = np.array([0.86, 0.88, 0.92]) * rng.uniform(0.85, 1, (white.sum(), 1))
    radius = 0.5 * height / np.sqrt(needles)
    tufts = Surfels.of(position, normal, np.clip(albedo, 0, 0.95), radius, 0.15)
    top = np.array([0, 0, height * 0.97])
    trunk = _limb(rng, np.zeros(3), top, height * 0.012, 0.02, radius / 2)
    return Surfels.join([trunk, tufts])


def grass(
    rng: np.random.Generator, roots: Array, length: float, colours: Array, points: int = 7
) -> Surfels:
    """Bent blades of grass.

    Args:
        rng: Random numbers.
        roots: Where the blades grow, [N, 3].
        length: Mean length of a blade.
        colours: Albedos that blades take mixtures of, [K, 3].
        points: Surfels for each blade.

    Returns:
        The blades.
    """
    count = len(roots)
    lean = rng.normal(0, 0.45, (count, 1, 2)).clip(-0.9, 0.9) + np.array([0.15, 0.0])
    size = length * rng.lognormal(0, 0.28, (count, 1, 1))
    t = np.linspace(0.05, 1, points)[None, :, None]
    up = size * (t - 0.25 * t**2)
    position = np.concatenate([lean * size * t**1.8, up], axis=-1) + roots[:, None]
    normal = np.concatenate([rng.normal(0, 0.6, (count, 1, 2)), np.ones((count, 1, 1))], axis=-1)
    mixture = rng.dirichlet(np.full(len(colours), 0.6), count) @ colours
    albedo = mixture * rng.lognormal(0, 0.2, (count, 1))
    shades = albedo[:, None] * (0.55 + 0.55 * t)
    blades = np.broadcast_to(normal, position.shape)
    return Surfels.of(
        position.reshape(-1, 3), blades.reshape(-1, 3), shades.reshape(-1, 3), 0.02 * length, 0.4
    )


def litter(rng: np.random.Generator, places: Array, colours: Array, radius: float) -> Surfels:
    """Fallen leaves, flat or curled, at places [N, 3] on the ground."""
    count = len(places)
    normal = rng.normal(0, 0.45, (count, 3)) + np.array([0, 0, 1])
    lift = np.abs(rng.normal(0, radius * 0.6, (count, 1))) * [0, 0, 1]
    albedo = rng.dirichlet(np.full(len(colours), 0.35), count) @ colours
    albedo = np.clip(albedo * rng.lognormal(0, 0.35, (count, 1)), 0, 0.9)
    return Surfels.of(places + lift, normal, albedo, radius, 0.2)


def _limb(
    rng: np.random.Generator, start: Array, end: Array, thick: float, thin: float, finest: float
) -> Surfels:
    """A crooked, tapering branch of furrowed bark, of surfels no smaller than ``finest``."""
    length = float(np.linalg.norm(end - start))
    size = max(min(0.3 * thick, 0.03), finest)
    count = int(np.clip(3 * (thick + thin) * length / size**2, 12, 15000))
    t = rng.uniform(0, 1, (count, 1))
    bend = rng.normal(0, 0.06, (2, 3)) * length * [1, 1, 0.4]
    centre = start + (end - start) * t + np.sin(np.pi * t) * bend[0] * 0.6
    centre = centre + np.sin(2 * np.pi * t) * bend[1] * 0.4
    outward = _directions(rng, count)
    radius = thick + (thin - thick) * t
    turn = np.arctan2(outward[:, 1:2], outward[:, :1])
    furrow = np.sin(11 * turn + 2.5 * np.sin(5 * t * length) + rng.normal(0, 0.4, (count, 1)))
    stain = np.sin(1.7 * t * length + 2 * turn + bend[0, 0] * 99)
    shade = 1 + 0.3 * furrow + 0.25 * stain
    return Surfels.of(centre + outward * radius, outward, _BARK * shade, size)


def _directions(rng: np.random.Generator, count: int) -> Array:
    """Random unit vectors, [count, 3]."""
    vectors = rng.normal(0, 1, (count, 3))
    unit: Array = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
