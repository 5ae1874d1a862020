"""Landscapes: mountains, water, snow and meadows."""

import numpy as np
from numpy.typing import NDArray

from tools.demo_inputs.layouts.canvas import SIZE, Camera, Layout, Mask
from tools.demo_inputs.layouts.objects import broadleaf, conifer, person, shrub, wall

__all__ = ["coast", "lake", "meadow", "mountains", "river_valley", "snow"]

_RIGHT = SIZE - 1


def _clouds(layout: Layout, cover: float, above: float) -> None:
    """Turn a share of the sky above a row into clouds, flatter towards the horizon."""
    noise = layout.noise(110.0, stretch=2.5)
    sky = ~layout.below(np.full(SIZE, above))
    layout.paint(sky & (noise > np.quantile(noise[sky], 1.0 - cover)), "clouds")


def _patches(layout: Layout, region: Mask, name: str, cover: float, period: float) -> None:
    """Give a share of a region to a class, in patches wider than high."""
    noise = layout.noise(period, stretch=2.2)
    layout.paint(region & (noise > np.quantile(noise[region], 1.0 - cover)), name)


def _forest_edge(layout: Layout, foot: NDArray[np.float64], height: float) -> None:
    """Paint a strip of wood above a line of rows, tree tops against what is behind."""
    ground = [(0.0, -0.5 * height), (170.0, -0.9 * height), (350.0, -0.6 * height)]
    tops = foot + layout.line(ground, 0.25 * height, 70.0) + layout.line([(0, 0)], 6.0, 9.0)
    layout.paint(layout.below(tops) & ~layout.below(foot), "tree")


def mountains(rng: np.random.Generator) -> Layout:
    """A high ridge over wooded slopes, stones in the grass in front."""
    layout = Layout(rng, Camera(), "sky-other")
    _clouds(layout, cover=0.3, above=190.0)
    peaks = [(0, 200), (90, 130), (150, 165), (255, 60), (330, 140), (410, 105), (_RIGHT, 190)]
    layout.paint(layout.below(layout.line([(float(x), float(y)) for x, y in peaks], 22.0)), "rock")
    spurs = layout.line([(0.0, 215.0), (170.0, 250.0), (300.0, 190.0), (_RIGHT, 250.0)], 20.0)
    layout.paint(layout.below(spurs), "mountain")
    woods = layout.line([(0.0, 300.0), (200.0, 345.0), (_RIGHT, 290.0)], 14.0)
    _forest_edge(layout, woods, height=30.0)
    layout.paint(layout.below(woods), "tree")
    meadow = layout.below(layout.line([(0.0, 372.0), (_RIGHT, 385.0)], 8.0))
    layout.paint(meadow, "grass")
    _patches(layout, meadow, "rock", cover=0.08, period=36.0)
    for foot, height in (((60, 400), 130), ((105, 415), 170), ((450, 440), 260)):
        conifer(layout, foot, height)
    return layout


def lake(rng: np.random.Generator) -> Layout:
    """A mountain lake with woods on the far shore."""
    layout = Layout(rng, Camera(), "sky-other")
    _clouds(layout, cover=0.2, above=140.0)
    ridge = [(0.0, 120.0), (130.0, 190.0), (330.0, 90.0), (430.0, 130.0), (_RIGHT, 110.0)]
    layout.paint(layout.below(layout.line(ridge, 20.0)), "mountain")
    shore = layout.line([(0.0, 284.0), (250.0, 276.0), (_RIGHT, 282.0)], 2.0)
    _forest_edge(layout, shore, height=42.0)
    layout.paint(layout.below(shore), "water-other")
    bank = layout.line([(0.0, 400.0), (140.0, 470.0), (330.0, 500.0), (_RIGHT, 450.0)], 12.0, 60.0)
    layout.paint(layout.below(bank), "grass")
    stones = layout.below(bank) & ~layout.below(bank + 24.0)
    _patches(layout, stones, "rock", cover=0.5, period=24.0)
    for foot, height in (((28, 430), 330), ((92, 445), 210), ((480, 470), 280)):
        conifer(layout, foot, height)
    return layout


def coast(rng: np.random.Generator) -> Layout:
    """A beach between the sea and a headland."""
    layout = Layout(rng, Camera(), "sky-other")
    _clouds(layout, cover=0.35, above=180.0)
    layout.paint(layout.below(np.full(SIZE, 214.0)), "sea")
    headland = [(0.0, 300.0), (250.0, 240.0), (285.0, 180.0), (380.0, 150.0), (_RIGHT, 95.0)]
    foot = layout.line([(0.0, 200.0), (240.0, 216.0), (340.0, 262.0), (_RIGHT, 330.0)], 5.0, 40.0)
    cliff = layout.below(layout.line(headland, 12.0, 60.0)) & ~layout.below(foot)
    layout.paint(cliff, "rock")
    top = layout.below(layout.line([(x, y + 26.0) for x, y in headland], 14.0, 40.0))
    layout.paint(cliff & ~top, "grass")
    surf = [(0.0, 460.0), (150.0, 400.0), (300.0, 330.0), (400.0, 290.0), (_RIGHT, 285.0)]
    beach = layout.below(layout.line(surf, 7.0)) & layout.below(foot)
    layout.paint(beach, "sand")
    for at, radii in (((120, 300), (46, 20)), ((190, 280), (22, 11)), ((64, 330), (18, 9))):
        layout.paint(layout.blob(at, radii, ragged=0.2), "rock")
    for at, radii in (((450, 400), (60, 24)), ((505, 440), (50, 30)), ((385, 380), (18, 8))):
        layout.paint(layout.blob(at, radii, ragged=0.2), "rock")
    for x, z in ((3.6, 22.0), (4.5, 21.8), (0.4, 14.0)):
        person(layout, (x, z))
    return layout


def river_valley(rng: np.random.Generator) -> Layout:
    """A river that winds through meadows between hills."""
    layout = Layout(rng, Camera(horizon=225.0, height=11.0), "sky-other")
    _clouds(layout, cover=0.25, above=150.0)
    layout.paint(layout.below(layout.line([(0, 130), (260, 205), (_RIGHT, 120)], 14.0)), "mountain")
    layout.paint(layout.below(layout.line([(0, 165), (230, 224), (_RIGHT, 214)], 9.0)), "hill")
    layout.paint(layout.below(layout.line([(0, 236), (290, 229), (_RIGHT, 150)], 9.0)), "tree")
    layout.paint(layout.below(layout.line([(0, 240), (_RIGHT, 246)], 3.0)), "grass")
    ahead = np.geomspace(8.0, 420.0, 160)
    middle = 0.16 * ahead * np.sin(2.6 * np.log(ahead) - 1.0) + rng.normal(0.0, 0.004, 160) * ahead
    width = 5.5 * (1.0 + 0.2 * np.sin(3.1 * np.log(ahead)))
    left = np.stack([middle - width, ahead], axis=1)
    right = np.stack([middle + width, ahead], axis=1)
    layout.ground(np.concatenate([left, right[::-1]]), "river")
    for side, outline in ((-1.0, left), (1.0, right)):
        banks = rng.normal(outline[62:142:8], 1.0)[::-1]
        shrub(layout, [(x + side * 2.0, z) for x, z in banks.tolist()], height=3.0)
    for x, z, height in ((-36.0, 120.0, 15.0), (44.0, 100.0, 14.0), (-27.0, 62.0, 16.0)):
        broadleaf(layout, (x, z), height)
    broadleaf(layout, (23.0, 41.0), height=17.0)
    return layout


def snow(rng: np.random.Generator) -> Layout:
    """A snowfield with spruces below a rocky summit."""
    layout = Layout(rng, Camera(horizon=300.0), "sky-other")
    ridge = layout.line([(0, 190), (140, 120), (250, 160), (370, 75), (_RIGHT, 150)], 22.0)
    summit = layout.below(ridge)
    layout.paint(summit, "mountain")
    _patches(layout, summit, "snow", cover=0.3, period=70.0)
    slope = layout.line([(0.0, 275.0), (200.0, 300.0), (_RIGHT, 262.0)], 8.0)
    _forest_edge(layout, slope + 4.0, height=38.0)
    layout.paint(layout.below(slope), "snow")
    spruces = ((150, 335, 90), (190, 342, 120), (395, 350, 130), (440, 370, 190), (60, 400, 260))
    for column, row, height in spruces:
        conifer(layout, (column, row), height)
    person(layout, (0.6, 11.0))
    person(layout, (1.5, 10.5))
    return layout


def meadow(rng: np.random.Generator) -> Layout:
    """A pasture behind a fence, woods and a hill beyond it."""
    layout = Layout(rng, Camera(horizon=270.0), "sky-other")
    _clouds(layout, cover=0.45, above=190.0)
    hill = layout.line([(0, 235), (150, 170), (300, 190), (_RIGHT, 240)], 8.0, 120.0)
    layout.paint(layout.below(hill), "hill")
    _forest_edge(layout, layout.line([(0, 282), (_RIGHT, 276)], 3.0), height=46.0)
    pasture = layout.below(layout.line([(0, 280), (_RIGHT, 275)], 3.0))
    layout.paint(pasture, "grass")
    ahead = np.geomspace(2.0, 90.0, 40)
    middle = 1.0 + 0.12 * ahead * np.sin(1.7 * np.log(ahead)) + rng.normal(0.0, 0.006, 40) * ahead
    left, right = (np.stack([middle + side, ahead], axis=1) for side in (-1.3, 1.3))
    layout.ground(np.concatenate([left, right[::-1]]), "dirt")
    broadleaf(layout, (-9.0, 25.0), height=10.0, spread=0.5)
    broadleaf(layout, (13.0, 32.0), height=9.0, spread=0.5)
    shrub(layout, [(-3.6, 24.0), (-15.0, 30.0), (8.5, 22.0)], height=1.8)
    start, end = (-12.0, 17.0), (-1.6, 6.0)
    posts = [
        [(x, 0.0), (x + 0.14, 0.0), (x + 0.14, 1.25), (x, 1.25)] for x in np.arange(0, 15, 1.6)
    ]
    rails = [[(0.0, y), (15.0, y), (15.0, y + 0.2), (0.0, y + 0.2)] for y in (0.4, 0.9)]
    bars = [wall(start, end, outline) for outline in posts + rails]
    layout.paint(layout.faces(*bars), "fence")
    return layout
