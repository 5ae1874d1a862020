"""A contact sheet of an image set: label map, content, style and result side by side."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from spadepis.dataset.encoding import decode
from spadepis.dataset.image_set.layout import METADATA
from spadepis.dataset.image_set.stored_images import read_image
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.photos import read_photo
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import LabelSpace

TILE = 256
GUTTER = 12
CAPTION = 32
FONT_SIZE = 14
WHITE, BLACK, GREY = "#ffffff", "#1d2326", "#667075"
# Columns by heading: the column of the metadata that names the file, and the one with the caption.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "label map": ("mask_file_name", "mask_id"),
    "content": ("content_file_name", ""),
    "style": ("style_source", "style_id"),
    "result": ("file_name", ""),
}
MOST_STYLE_PIXELS = 80_000_000

Row = Mapping[str, Any]


def contact_sheet(folder: Folder, label_space: LabelSpace, rows: int = 6) -> Image.Image:
    """Show some scenes of a finished image set, one a row.

    The scenes are spread evenly over the set, and each shows the one of its styles that was shown
    least so far. What the set does not have, label maps or styles, has no column. Styles are read
    from where the job found them and cropped to the proportions of the result; one that is no
    longer there is a grey tile.

    Args:
        folder: the image set.
        label_space: of its label maps.
        rows: how many scenes at most.

    Returns:
        RGB image with tiles of 256 pixels across.

    Raises:
        FileNotFoundError: no finished image set is there.
    """
    table = pq.read_table(io.BytesIO(folder.read(METADATA)))
    headings = [
        heading
        for heading, (column, _) in COLUMNS.items()
        if column in table.column_names and not table[column].null_count
    ]
    strips = [_strip_of_texts(headings, BLACK)]
    for row in _choose(table.to_pylist(), rows):
        strips.append(_strip_of_tiles([_tile(folder, label_space, row, h) for h in headings]))
        captions = [str(row.get(COLUMNS[heading][1]) or "") for heading in headings]
        strips.append(_strip_of_texts(captions, GREY))
    height = sum(strip.height for strip in strips) + GUTTER
    sheet = Image.new("RGB", (strips[0].width, height), WHITE)
    top = GUTTER // 2
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def _choose(table: Sequence[Row], count: int) -> list[Row]:
    """One row for each of ``count`` scenes, in styles as different as they come."""
    scenes: dict[str, list[Row]] = defaultdict(list)
    for row in table:
        scenes[row["mask_id"]].append(row)
    ids = list(scenes)
    count = min(count, len(ids))
    shown: Counter[str | None] = Counter()
    chosen = []
    for index in range(count):
        scene = scenes[ids[index * len(ids) // count]]
        row = min(scene, key=lambda row: shown[row["style_id"]])
        shown[row["style_id"]] += 1
        chosen.append(row)
    return chosen


def _tile(folder: Folder, label_space: LabelSpace, row: Row, heading: str) -> Image.Image:
    """The image of a row under a heading, as wide as a tile and shaped like the row's result."""
    file = row[COLUMNS[heading][0]]
    size = TILE, max(1, round(TILE * row["height"] / row["width"]))
    if heading == "style":
        try:
            return _fit(read_photo(file, MOST_STYLE_PIXELS), size, Image.Resampling.LANCZOS)
        except UnreadableImageError:
            return Image.new("RGB", size, GREY)
    image = decode(read_image(folder, file))
    if heading == "label map":
        colours = label_space.colourize(label_space.decode(image))
        return _fit(colours, size, Image.Resampling.NEAREST)
    return _fit(image, size, Image.Resampling.LANCZOS)


def _fit(
    image: NDArray[np.uint8], size: tuple[int, int], resampling: Image.Resampling
) -> Image.Image:
    return ImageOps.fit(Image.fromarray(image), size, resampling)


def _strip_of_tiles(tiles: Sequence[Image.Image]) -> Image.Image:
    strip = _strip(len(tiles), tiles[0].height)
    for column, tile in enumerate(tiles):
        strip.paste(tile, (_left(column), 0))
    return strip


def _strip_of_texts(texts: Sequence[str], colour: str) -> Image.Image:
    strip = _strip(len(texts), CAPTION)
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(FONT_SIZE)
    for column, text in enumerate(texts):
        # Ids may hold line breaks and may be of any length.
        # The font has the letters of Latin 1.
        known = text.encode("latin-1", "backslashreplace").decode("latin-1")
        line = shortened = " ".join(known.split())
        while draw.textlength(shortened, font) > TILE:
            line = line[:-1]
            shortened = f"{line}..."
        draw.text((_left(column), FONT_SIZE), shortened, colour, font, anchor="lm")
    return strip


def _strip(columns: int, height: int) -> Image.Image:
    return Image.new("RGB", (_left(columns), height), WHITE)


def _left(column: int) -> int:
    return GUTTER + column * (TILE + GUTTER)
