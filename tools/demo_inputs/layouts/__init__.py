"""Layouts drawn by program: COCO-Stuff label maps of invented scenes, with instance maps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from spadepis.labels import COCO_STUFF
from tools.demo_inputs.layouts.canvas import Layout
from tools.demo_inputs.layouts.landscapes import coast, lake, meadow, mountains, river_valley, snow
from tools.demo_inputs.layouts.rooms import dining_room, living_room
from tools.demo_inputs.layouts.streets import avenue, boulevard, corner, square, suburb, terrace

__all__ = ["LAYOUTS", "draw_layout", "draw_layouts"]

LAYOUTS: Final[Mapping[str, Callable[[np.random.Generator], Layout]]] = {
    scene.__name__: scene
    for scene in (
        *(avenue, boulevard, corner, square, suburb, terrace),
        *(coast, lake, meadow, mountains, river_valley, snow),
        *(dining_room, living_room),
    )
}
"""What draws each layout, by its name."""


def draw_layout(name: str) -> Layout:
    """Draw one of ``LAYOUTS``; the same each time, whatever the others are."""
    return LAYOUTS[name](np.random.default_rng(list(name.encode())))


def draw_layouts(output: Path) -> None:
    """Draw all layouts to ``masks/<name>.png`` and ``instances/<name>.png`` below a folder.

    Both are greyscale of 512x512, of 8 and 16 bits; masks hold the raw values of COCO-Stuff.
    """
    for folder in ("masks", "instances"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    for name in LAYOUTS:
        layout = draw_layout(name)
        labels = COCO_STUFF.encode(layout.labels)
        Image.fromarray(labels).save(output / "masks" / f"{name}.png", optimize=True)
        Image.fromarray(layout.instances).save(output / "instances" / f"{name}.png", optimize=True)
