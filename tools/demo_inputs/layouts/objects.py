"""Things that stand about in a scene: buildings, cars, people, trees."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tools.demo_inputs.layouts.canvas import SIZE, Layout

__all__ = [
    "box",
    "broadleaf",
    "building",
    "car",
    "conifer",
    "cyclist",
    "lamp_post",
    "parked_cars",
    "person",
    "row_of_buildings",
    "shrub",
    "wall",
]

Place = tuple[float, float]
"""A point of the ground: x and z in metres."""

_CAR_PROFILE = np.array(
    [
        *[(-2.1, 0.3), (-2.15, 0.8), (-1.95, 1.0), (-1.4, 1.38), (-0.7, 1.47)],
        *[(0.2, 1.42), (0.95, 1.02), (1.85, 0.86), (2.1, 0.65), (2.12, 0.3)],
    ]
)
_SMALLEST_WINDOW = 14


def _disc(centre: tuple[float, float], radius: float, squash: float = 1.0) -> NDArray[np.float64]:
    angles = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)
    return np.array(centre) + radius * np.stack([np.cos(angles) * squash, np.sin(angles)], axis=1)


def wall(start: Place, end: Place, outline: ArrayLike) -> NDArray[np.float64]:
    """Put an outline, metres along and up [N, 2], on the vertical plane from start to end."""
    along, up = np.asarray(outline, np.float64).T
    direction = np.subtract(end, start) / np.hypot(*np.subtract(end, start))
    ground = np.array(start) + along[:, None] * direction
    return np.stack([ground[:, 0], up, ground[:, 1]], axis=1)


def _rectangle(left: float, right: float, bottom: float, top: float) -> NDArray[np.float64]:
    return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])


def building(
    layout: Layout, start: Place, end: Place, floors: int, gable: bool = False, doors: int = 1
) -> None:
    """Paint the front of a building between two places: rows of windows, doors at the ground."""
    rng = layout.rng
    width = float(np.hypot(*np.subtract(end, start)))
    storey = rng.uniform(2.9, 3.5)
    eaves = floors * storey + rng.uniform(0.3, 0.9)
    outlines: list[ArrayLike] = [_rectangle(0.0, width, -0.05, eaves)]
    slant, rise = (width / 2, 0.32 * width) if gable else (1.2, rng.choice([0.0, 1.8]))
    ridge = eaves + rise
    low = eaves - 0.2
    roof = [(-0.2, low), (slant, ridge), (width - slant, ridge), (width + 0.2, low)]
    outlines.append(roof)
    for left in rng.uniform(0.15, 0.8, rng.integers(3)) * width:
        outlines.append(_rectangle(left, left + rng.uniform(0.6, 1.2), eaves, ridge + 0.9))
    layout.paint(layout.faces(*(wall(start, end, o) for o in outlines)), "building-other")

    bays = max(1, int(width / rng.uniform(2.3, 3.0)))
    entrances = rng.choice(bays, min(doors, bays), replace=False)
    pane = np.array([rng.uniform(0.42, 0.62), rng.uniform(0.75, 0.95)])
    shop_pane = pane * (rng.choice([1.0, 1.8]), 1.1)
    for floor in range(floors):
        for bay in range(bays):
            along, base = (bay + 0.5) * width / bays, floor * storey
            if floor == 0 and bay in entrances:
                outline = _rectangle(along - 0.6, along + 0.6, base, base + 2.3)
            elif rng.random() < 0.04:
                continue
            else:
                middle = rng.normal((along, base + 0.55 * storey), 0.03)
                size = pane if floor else shop_pane
                outline = middle + _rectangle(-1, 1, -1, 1) * size + rng.normal(0, 0.03, (4, 2))
            mask = layout.faces(wall(start, end, outline))
            # Annotators leave out what is only a few pixels.
            if mask.sum() >= _SMALLEST_WINDOW:
                is_door = floor == 0 and bay in entrances
                layout.paint(mask, "door-stuff" if is_door else "window-other")


def row_of_buildings(
    layout: Layout,
    start: Place,
    end: Place,
    floors: tuple[int, int],
    gables: float = 0.0,
    widths: tuple[float, float] = (7.0, 13.0),
) -> None:
    """Paint buildings side by side from the far start to the near end of a line."""
    rng = layout.rng
    length = float(np.hypot(*np.subtract(end, start)))
    direction = np.subtract(end, start) / length
    done = 0.0
    while done < length:
        width = min(rng.uniform(*widths), length - done + 0.01)
        corners = (np.array(start) + direction * along for along in (done, done + width))
        left, right = ((float(x), float(z)) for x, z in corners)
        number = int(rng.integers(*floors, endpoint=True))
        building(layout, left, right, number, gable=rng.random() < gables)
        done += width


def box(low: ArrayLike, high: ArrayLike) -> list[NDArray[np.float64]]:
    """The six faces, each [4, 3], of an upright box between two corners."""
    x, y, z = zip(np.asarray(low), np.asarray(high), strict=True)
    faces = [[(a, y[i], z[j]) for i, j in ((0, 0), (0, 1), (1, 1), (1, 0))] for a in x]
    faces += [[(x[i], b, z[j]) for i, j in ((0, 0), (0, 1), (1, 1), (1, 0))] for b in y]
    faces += [[(x[i], y[j], c) for i, j in ((0, 0), (0, 1), (1, 1), (1, 0))] for c in z]
    return [np.array(face) for face in faces]


def car(layout: Layout, at: Place, heading: float = 0.0) -> None:
    """Paint a car: its profile drawn out to its width. Headed 0, it stands along z [radians]."""
    profile = _CAR_PROFILE * layout.rng.uniform([0.88, 0.95], [1.05, 1.15])
    ahead = np.array([np.sin(heading), 0.0, np.cos(heading)])
    aside = np.array([np.cos(heading), 0.0, -np.sin(heading)])
    centre = np.array([at[0], 0.0, at[1]])

    def sides(outline: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        along, up = outline[:, :1], outline[:, 1:]
        # The cabin is narrower than the body.
        half = np.where(up > 1.1, 0.68, 0.86)
        middle = centre + along * ahead + up * np.array([0.0, 1.0, 0.0])
        return [middle - half * aside, middle + half * aside]

    left, right = sides(profile)
    ends = [np.roll(side, -1, axis=0) for side in (left, right)]
    faces = [left, right, *np.stack([left, ends[0], ends[1], right], axis=1)]
    for axle in (-1.3, 1.3):
        faces += sides(_disc((axle, 0.32), 0.33))
    layout.paint(layout.faces(*faces), "car")


def parked_cars(
    layout: Layout, start: Place, end: Place, taken: float = 0.8, gap: float = 1.0
) -> None:
    """Paint cars along the kerb from the far start to the near end; some places are free."""
    run = np.subtract(end, start)
    heading = float(np.arctan2(run[0], run[1]))
    length = float(np.hypot(*run))
    for along in np.arange(0.0, length, 4.4 + gap):
        x, z = np.array(start) + run * (along / length) + layout.rng.normal(0.0, 0.1, 2)
        if layout.rng.random() < taken:
            flip = np.pi * layout.rng.integers(2)
            car(layout, (x, z), heading + flip + layout.rng.normal(0.0, 0.03))


def _body(rng: np.random.Generator, hip: float) -> list[NDArray[np.float64]]:
    """Outlines, metres across and up, of head, trunk and arms above the hip."""
    lean, arm = rng.normal(0.0, 0.04), rng.uniform(-0.04, 0.08)
    trunk = [(-0.16, hip), (-0.24, hip + 0.5), (-0.1, hip + 0.6), (0.1, hip + 0.6)]
    trunk += [(0.24, hip + 0.5), (0.16, hip)]
    arms = [
        np.array([(side * 0.2, hip + 0.55), (side * (0.3 + arm), hip + 0.05)])[[0, 1, 1, 0]]
        + [(-0.06, 0.0), (-0.06, 0.0), (0.06, 0.0), (0.06, 0.0)]
        for side in (-1.0, 1.0)
    ]
    return [np.array(trunk), *arms, _disc((lean, hip + 0.76), 0.14, squash=0.8)]


def person(layout: Layout, at: Place) -> None:
    """Paint somebody who stands or walks."""
    rng = layout.rng
    stride = rng.uniform(0.06, 0.2, 2) * (-1.0, 1.0)
    legs = [
        np.array([(hip - 0.11, 0.9), (hip + 0.11, 0.9), (foot + 0.1, 0.0), (foot - 0.1, 0.0)])
        for hip, foot in zip((-0.08, 0.08), stride, strict=True)
    ]
    scale = rng.uniform(0.92, 1.07)
    outlines = [outline * scale for outline in [*_body(rng, 0.88), *legs]]
    layout.paint(layout.billboard(*at, *outlines), "person")


def cyclist(layout: Layout, at: Place, seen_from_side: float = 0.5) -> None:
    """Paint a bicycle and its rider; from the side (1) or from behind (0)."""
    wheels = [
        _disc((side * 0.52 * seen_from_side, 0.34), 0.34, squash=max(0.15, seen_from_side))
        for side in (-1.0, 1.0)
    ]
    frame = np.array([(-0.5, 0.3), (0.5, 0.3), (0.4, 1.0), (-0.2, 0.95)]) * (seen_from_side, 1.0)
    layout.paint(layout.billboard(*at, *wheels, frame), "bicycle")
    leg = np.array([(-0.15, 1.0), (0.15, 1.0), (0.12, 0.35), (0.0, 0.35)])
    layout.paint(layout.billboard(*at, leg, *_body(layout.rng, 0.95)), "person")


def lamp_post(layout: Layout, at: Place, height: float = 6.0) -> None:
    """Paint a post with an arm, which annotators leave unknown."""
    post = _rectangle(-0.07, 0.07, 0.0, height)
    arm = _rectangle(-0.07, 1.1, height - 0.15, height)
    layout.paint(layout.billboard(*at, post, arm), "unknown")


def broadleaf(layout: Layout, at: Place, height: float, spread: float = 0.42) -> None:
    """Paint a tree with a trunk and a ragged crown of several masses of leaves."""
    rng = layout.rng
    scale = layout.camera.pixels_per_metre(*at) * height
    girth = 0.022 * height
    trunk = [(-girth, 0.0), (girth, 0.0), (girth * 0.7, height * 0.6), (-girth * 0.7, height * 0.6)]
    middle = layout.camera.project([(at[0], height * 0.64, at[1])])[0]
    masses = middle + rng.uniform((-0.5, -0.45), (0.5, 0.4), (7, 2)) * spread * scale
    radii = rng.uniform(0.45, 0.7, (7, 1)) * spread * scale * (1.0, 0.85)
    crown = layout.blob(masses, radii, ragged=0.22)
    layout.paint(layout.billboard(*at, trunk) | crown, "tree")


def conifer(layout: Layout, foot: tuple[float, float], height: float) -> None:
    """Paint a spruce by the column and row of its foot and its height in pixels."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    depth = (rows - foot[1] + height).clip(0.0) / height
    tiers = 0.85 + 0.25 * (depth * 8.0 % 1.0)
    half_width = 0.2 * height * depth**0.85 * tiers
    ragged = 0.035 * height * layout.noise(max(6.0, height / 6.0)) * (0.15 + depth)
    mask = (abs(columns - foot[0]) < half_width + ragged) & (depth > 0.0) & (depth < 0.96)
    stem = (abs(columns - foot[0]) < 0.015 * height) & (depth > 0.5) & (depth < 1.0)
    layout.paint(mask | stem, "tree")


def shrub(layout: Layout, places: Iterable[Place], height: float, name: str = "bush") -> None:
    """Paint a ragged shrub, or a stone, at each of the places of the ground."""
    for x, z in places:
        column, row = layout.camera.project([(x, height * 0.4, z)])[0]
        size = layout.camera.pixels_per_metre(x, z) * height * layout.rng.uniform(0.4, 0.65)
        layout.paint(layout.blob((column, row), (size * 1.25, size), ragged=0.15), name)
