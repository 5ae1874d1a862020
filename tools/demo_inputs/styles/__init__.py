"""Style pictures for the demo, rendered: light, weather and seasons without a camera."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.demo_inputs.styles.camera import develop
from tools.demo_inputs.styles.scene import render
from tools.demo_inputs.styles.styles import STYLES

__all__ = ["STYLES", "photograph", "render_styles"]


def photograph(name: str, width: int = 512, height: int = 384) -> NDArray[np.uint8]:
    """Render a style picture, the same each time.

    Args:
        name: One of ``STYLES``.
        width: Pixels, a multiple of 16.
        height: Pixels, a multiple of 16.

    Returns:
        sRGB, uint8 [height, width, 3].

    Raises:
        KeyError: There is no such style.
    """
    scene = STYLES[name](2 * width, 2 * height)
    return develop(render(scene), scene.film)


def render_styles(folder: Path) -> None:
    """Write all style pictures into a folder as NAME.jpg."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in STYLES:
        Image.fromarray(photograph(name)).save(folder / f"{name}.jpg", quality=92)
