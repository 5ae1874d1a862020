"""Streets and squares of towns."""

import numpy as np
from numpy.typing import NDArray

from tools.demo_inputs.layouts.canvas import Camera, Layout
from tools.demo_inputs.layouts.objects import (
    broadleaf,
    building,
    car,
    cyclist,
    lamp_post,
    parked_cars,
    person,
    row_of_buildings,
    shrub,
    wall,
)

__all__ = ["avenue", "boulevard", "corner", "square", "suburb", "terrace"]

_FAR = 160.0


def _strip(left: float, right: float, near: float = -5.0, far: float = _FAR) -> NDArray[np.float64]:
    return np.array([(left, near), (right, near), (right, far), (left, far)])


def avenue(rng: np.random.Generator) -> Layout:
    """A straight street between two rows of buildings, seen from the road."""
    layout = Layout(rng, Camera(horizon=320.0, yaw=-0.05), "sky-other")
    layout.paint(layout.blob((275, 300), (60, 24), ragged=0.2), "tree")
    layout.ground(_strip(-60.0, 60.0), "pavement")
    layout.ground(_strip(-4.4, 4.4), "road")
    row_of_buildings(layout, (-7.2, 110.0), (-7.2, 0.0), (3, 5))
    row_of_buildings(layout, (7.2, 110.0), (7.2, 0.0), (2, 4))
    for z in (42.0, 30.0, 20.0):
        broadleaf(layout, (5.3, z), height=7.5)
    for z in (34.0, 16.0):
        lamp_post(layout, (-4.8, z))
    for x, z in ((-5.6, 26.0), (-6.3, 17.0), (-5.7, 16.6), (6.1, 13.0)):
        person(layout, (x, z))
    parked_cars(layout, (-3.5, 60.0), (-3.5, 9.0), taken=1.0)
    parked_cars(layout, (3.5, 60.0), (3.5, 14.0), taken=0.7)
    car(layout, (1.2, 32.0))
    cyclist(layout, (1.9, 15.0), seen_from_side=0.15)
    return layout


def terrace(rng: np.random.Generator) -> Layout:
    """The row of houses across the road, with cars parked in front."""
    layout = Layout(rng, Camera(horizon=345.0, yaw=0.14), "sky-other")
    layout.ground(_strip(-80.0, 80.0), "road")
    layout.ground(_strip(-80.0, 80.0, near=14.5), "pavement")
    row_of_buildings(layout, (-26.0, 19.5), (40.0, 19.5), (3, 4), gables=0.4, widths=(5.5, 7.5))
    broadleaf(layout, (-4.2, 16.0), height=9.0)
    broadleaf(layout, (14.2, 16.0), height=7.0)
    for x in (2.0, 2.8, 8.2):
        person(layout, (x, 16.0))
    parked_cars(layout, (-16.0, 13.2), (26.0, 13.2), taken=0.8)
    car(layout, (0.2, 8.6), heading=np.pi / 2)
    return layout


def corner(rng: np.random.Generator) -> Layout:
    """A large building at a crossing, two of its fronts in view."""
    layout = Layout(rng, Camera(horizon=315.0), "sky-other")
    layout.ground(_strip(-200.0, 200.0), "road")
    row_of_buildings(layout, (30.0, 80.0), (70.0, 60.0), (3, 4))
    layout.ground([(-2.6, 14.0), (-80.0, 53.0), (10.0, 90.0), (33.0, 75.0)], "pavement")
    building(layout, (-33.0, 33.6), (-2.4, 17.0), 4, doors=2)
    building(layout, (-2.4, 17.0), (24.0, 61.0), 4, doors=2)
    broadleaf(layout, (15.0, 32.0), height=9.0)
    broadleaf(layout, (10.2, 21.0), height=8.0)
    for x, z in ((-6.2, 17.6), (-5.5, 17.5), (3.0, 20.5)):
        person(layout, (x, z))
    parked_cars(layout, (17.0, 41.0), (4.2, 20.5), taken=0.75)
    parked_cars(layout, (-20.0, 22.5), (-7.0, 14.8), taken=0.75)
    cyclist(layout, (3.4, 11.5), seen_from_side=0.9)
    return layout


def boulevard(rng: np.random.Generator) -> Layout:
    """A promenade under two rows of trees, roads on both sides."""
    layout = Layout(rng, Camera(horizon=300.0, yaw=0.06), "sky-other")
    layout.ground(_strip(-80.0, 80.0), "road")
    row_of_buildings(layout, (-14.0, 120.0), (-14.0, 0.0), (4, 5))
    row_of_buildings(layout, (14.0, 120.0), (14.0, 0.0), (4, 5))
    layout.ground(_strip(-4.2, 4.2), "pavement")
    parked_cars(layout, (5.6, 60.0), (5.6, 15.0), taken=0.6)
    parked_cars(layout, (-5.6, 60.0), (-5.6, 15.0), taken=0.6)
    for z in (70.0, 52.0, 38.0, 28.0, 19.0):
        for x in (-3.6, 3.6):
            broadleaf(layout, (x + rng.normal(0.0, 0.15), z), height=rng.uniform(7.5, 9.0))
    for x, z in ((0.4, 40.0), (-1.0, 30.0), (1.6, 22.0), (2.2, 21.8), (-1.3, 13.5)):
        person(layout, (x, z))
    return layout


def square(rng: np.random.Generator) -> Layout:
    """A town hall behind its square."""
    layout = Layout(rng, Camera(focal=520.0, horizon=360.0, yaw=-0.04), "sky-other")
    layout.ground(_strip(-200.0, 200.0), "pavement")
    row_of_buildings(layout, (-60.0, 46.0), (60.0, 46.0), (2, 3), gables=0.5)
    building(layout, (-13.0, 31.0), (11.0, 31.0), 4, doors=2)
    building(layout, (-5.5, 29.5), (3.5, 29.5), 4, gable=True, doors=3)
    for x, z, height in ((-19.0, 34.0, 11.0), (16.5, 33.0, 12.0), (13.0, 26.0, 9.0)):
        broadleaf(layout, (x, z), height)
    layout.ground(_strip(-200.0, 200.0, far=11.0), "road")
    places = rng.uniform((-11.0, 14.0), (9.0, 28.0), (11, 2))
    for x, z in sorted(places.tolist(), key=lambda place: -place[1]):
        person(layout, (x, z))
    cyclist(layout, (-4.0, 12.0), seen_from_side=1.0)
    parked_cars(layout, (6.0, 24.0), (13.0, 13.0), taken=1.0, gap=1.6)
    return layout


def suburb(rng: np.random.Generator) -> Layout:
    """Houses with gables behind fences and front gardens, seen from the pavement."""
    layout = Layout(rng, Camera(horizon=330.0, yaw=0.1), "sky-other")
    layout.paint(layout.below(layout.line([(0, 278), (511, 282)], 16.0, 50.0)), "tree")
    layout.ground(_strip(-80.0, 80.0), "grass")
    layout.ground(_strip(-5.2, 2.6), "road")
    for x in (-10.5, 9.5):
        row_of_buildings(layout, (x, 90.0), (x, 2.0), (2, 3), gables=0.8, widths=(7.0, 9.0))
    for x, z, height in ((-8.6, 42.0, 8.0), (-8.4, 25.0, 7.5), (7.8, 36.0, 7.0), (7.6, 14.0, 5.5)):
        broadleaf(layout, (x, z), height)
    fence = wall((5.0, 70.0), (5.0, 3.0), [(0.0, 0.0), (67.0, 0.0), (67.0, 0.9), (0.0, 0.9)])
    shrub(layout, [(5.8, z) for z in (30.0, 26.0, 21.0, 13.0, 11.5)], height=1.7)
    layout.ground(_strip(2.6, 5.0), "pavement")
    layout.paint(layout.faces(fence), "fence")
    for x, z in ((4.1, 24.0), (3.5, 13.5), (4.2, 13.2)):
        person(layout, (x, z))
    parked_cars(layout, (-4.2, 60.0), (-4.2, 16.0), taken=0.6)
    parked_cars(layout, (1.6, 60.0), (1.6, 9.0), taken=0.8)
    return layout
