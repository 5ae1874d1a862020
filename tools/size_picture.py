"""Draw docs/size_of_source.jpg: results of the published size, and of the size of their label map.

    python -m tools.size_picture docs/size_of_source.jpg

The label maps are wide crops of demonstration layouts, and the default model synthesizes the
photos.
"""

import argparse
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadepis.checkpoints.defaults import DEFAULT_SPADE_CHECKPOINT
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.read import ReadScenes
from spadepis.pipeline.stages.synthesize import Synthesize

INPUTS = Path(str(files("spadepis"))) / "demo" / "inputs"
LAYOUTS = ("coast", "avenue")
# Left, upper, right and lower side of the part of a layout that is taken.
CROP = (0, 120, 500, 400)
GUTTER = 8


def draw(path: str, quality: int) -> None:
    """Write the picture: label map, result of the published size, result of its own size."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [_row(layout, Path(folder)) for layout in LAYOUTS]
    height = rows[0][0].shape[0]
    tiles = [[_on_white(tile, height) for tile in row] for row in rows]
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in tiles])
    Image.fromarray(sheet[:-GUTTER, :-GUTTER]).save(path, quality=quality, optimize=True)


def _row(layout: str, folder: Path) -> Sequence[NDArray[np.uint8]]:
    for kind in ("masks", "instances"):
        (folder / kind).mkdir(exist_ok=True)
        with Image.open(INPUTS / kind / f"{layout}.png") as image:
            image.crop(CROP).save(folder / kind / f"{layout}.png")
    source = str(folder / "masks" / f"{layout}.png")
    instances = str(folder / "instances" / f"{layout}.png")
    with Image.open(source) as image:
        colours = COCO_STUFF.colourize(COCO_STUFF.decode(np.asarray(image)))
    return [colours, *(_photo(source, instances, size) for size in (COCO_STUFF.size, None))]


def _photo(source: str, instances: str, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """What the job synthesizes at a size, height and width; None for that of the label map."""
    read = ReadScenes(COCO_STUFF, size, longest_side=None, max_pixels=10**6)
    synthesize = Synthesize(DEFAULT_SPADE_CHECKPOINT, COCO_STUFF, "cpu", False)
    scene = Scene("a", [Style(None, None)], mask_source=source, instance_source=instances)
    (scene,) = synthesize(read([scene]))
    assert scene.content is not None, scene.failures
    return scene.content


def _on_white(tile: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """A tile [h,w,3] in the middle of its column, with a gutter to the right and below."""
    above = (height - tile.shape[0]) // 2
    below = height - tile.shape[0] - above + GUTTER
    return np.pad(tile, [(above, below), (0, GUTTER), (0, 0)], constant_values=255)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("path", help="path of the picture to write")
    parser.add_argument(
        "--quality", type=int, default=80, help="JPEG quality (default: %(default)s)"
    )
    arguments = parser.parse_args()
    draw(arguments.path, arguments.quality)
