"""Rooms: the inside of a box of walls, and furniture made of boxes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tools.demo_inputs.layouts.canvas import Camera, Layout
from tools.demo_inputs.layouts.objects import box, person, shrub

__all__ = ["dining_room", "living_room"]

Boxes = list[tuple[ArrayLike, ArrayLike]]
"""Lower and upper corners, x, y, z in metres."""


def _furniture(layout: Layout, boxes: Boxes, name: str, at: ArrayLike = (0.0, 0.0, 0.0)) -> None:
    """Paint boxes as one object."""
    offset = np.asarray(at)
    faces = [face for low, high in boxes for face in box(low + offset, high + offset)]
    layout.paint(layout.faces(*faces), name)


def _panel(
    x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]
) -> NDArray[np.float64]:
    """An upright rectangle over a stretch of wall, [4, 3]."""
    return np.array(
        [(x[0], y[0], z[0]), (x[1], y[0], z[1]), (x[1], y[1], z[1]), (x[0], y[1], z[0])]
    )


def _room(rng: np.random.Generator, camera: Camera, half_width: float, depth: float) -> Layout:
    """An empty room, 2.6 m high, about the z axis."""
    layout = Layout(rng, camera, "wall-concrete")
    side, height = half_width, 2.6
    outline = np.array([(-side, -0.5), (side, -0.5), (side, depth), (-side, depth)])
    layout.ground(outline, "floor-wood")
    ceiling = np.insert(outline, 1, height, axis=1)
    layout.paint(layout.faces(ceiling), "ceiling-other")
    return layout


def _chair(layout: Layout, x: float, z: float, back: tuple[float, float]) -> None:
    """Paint a chair; its back stands off the seat's middle by (x, z)."""
    seat: Boxes = [((-0.22, 0.42, -0.22), (0.22, 0.5, 0.22))]
    legs: Boxes = [
        ((a - 0.03, 0.0, b - 0.03), (a + 0.03, 0.45, b + 0.03))
        for a in (-0.19, 0.19)
        for b in (-0.19, 0.19)
    ]
    thin = np.array([0.22 if back[0] == 0 else 0.03, 0.0, 0.22 if back[1] == 0 else 0.03])
    middle = np.array([back[0], 0.0, back[1]])
    rest: Boxes = [(middle - thin + (0.0, 0.5, 0.0), middle + thin + (0.0, 0.98, 0.0))]
    _furniture(layout, seat + legs + rest, "chair", (x, 0.0, z))


def _table(
    layout: Layout, low: tuple[float, float], high: tuple[float, float], name: str, height: float
) -> None:
    """Paint a table over a rectangle of the floor, x and z."""
    (left, near), (right, far) = low, high
    legs: Boxes = [
        ((x - 0.04, 0.0, z - 0.04), (x + 0.04, height, z + 0.04))
        for x in (left + 0.06, right - 0.06)
        for z in (near + 0.06, far - 0.06)
    ]
    top: Boxes = [((left, height - 0.06, near), (right, height, far))]
    _furniture(layout, legs + top, name)


def living_room(rng: np.random.Generator) -> Layout:
    """A couch and a low table in front of the windows."""
    layout = _room(rng, Camera(focal=330.0, horizon=205.0, height=1.5, yaw=0.1), 2.7, 5.2)
    for left in (-2.0, -0.3):
        layout.paint(
            layout.faces(_panel((left, left + 1.3), (0.95, 2.2), (5.2, 5.2))), "window-other"
        )
    layout.paint(layout.faces(_panel((-2.7, -2.7), (0.0, 2.05), (3.3, 4.2))), "door-stuff")
    layout.paint(layout.faces(_panel((1.5, 2.4), (1.3, 1.9), (5.2, 5.2))), "mirror-stuff")
    layout.paint(layout.faces(*box((2.2, 0.0, 3.2), (2.7, 2.0, 4.9))), "cabinet")
    couch: Boxes = [
        ((-1.6, 0.1, 4.1), (0.9, 0.45, 5.0)),
        ((-1.6, 0.1, 4.8), (0.9, 0.9, 5.05)),
        ((-1.8, 0.1, 4.1), (-1.6, 0.65, 5.0)),
        ((0.9, 0.1, 4.1), (1.1, 0.65, 5.0)),
    ]
    _furniture(layout, couch, "couch")
    shrub(layout, [(1.6, 4.7)], height=1.4, name="plant-other")
    _table(layout, (-0.9, 2.7), (0.5, 3.4), "table", 0.45)
    _chair(layout, 1.7, 2.7, back=(0.2, 0.0))
    return layout


def dining_room(rng: np.random.Generator) -> Layout:
    """A laid table with chairs around it, cupboards along the wall."""
    layout = _room(rng, Camera(focal=340.0, horizon=195.0, height=1.6, yaw=-0.12), 2.4, 5.0)
    for near in (2.3, 3.8):
        layout.paint(
            layout.faces(_panel((-2.4, -2.4), (0.9, 2.2), (near, near + 0.95))), "window-other"
        )
    layout.paint(layout.faces(_panel((0.9, 1.8), (0.0, 2.05), (5.0, 5.0))), "door-stuff")
    layout.paint(layout.faces(*box((-1.6, 0.0, 4.55), (0.3, 0.95, 5.0))), "cabinet")
    layout.paint(layout.faces(*box((1.9, 0.0, 2.6), (2.4, 1.9, 4.2))), "furniture-other")
    person(layout, (0.7, 4.4))
    for x in (-0.9, -0.2):
        _chair(layout, x, 3.95, back=(0.0, 0.2))
    _table(layout, (-1.4, 2.5), (0.3, 3.7), "dining table", 0.75)
    _chair(layout, -1.5, 3.1, back=(-0.2, 0.0))
    _chair(layout, 0.65, 3.1, back=(0.2, 0.0))
    for x in (-0.9, -0.1):
        _chair(layout, x, 2.35, back=(0.0, -0.2))
    return layout
