"""A contact sheet of an image set: label map, content, style and result side by side."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from spadepis.configuration import ConfigurationError
from spadepis.dataset.encoding import DECODING_ERRORS, LONGEST_JPEG_SIDE, decode
from spadepis.dataset.image_set.index import read_metadata
from spadepis.dataset.image_set.layout import CONFIGURATION
from spadepis.dataset.image_set.records import read_record
from spadepis.dataset.image_set.stored_images import read_image
from spadepis.dataset.storage.folder import Folder
from spadepis.filesystem_errors import reason
from spadepis.labels import LABEL_SPACES, LabelSpace
from spadepis.labels.custom import find_label_space
from spadepis.report.pictures import Row, choose_scenes, read_style

TILE = 256
GUTTER = 12
CAPTION = 32
FONT_SIZE = 14
WHITE, BLACK, GREY = "#ffffff", "#1d2326", "#667075"
# What is shown, each with the column of the metadata that names the file.
COLUMNS: Mapping[str, str] = {
    "label map": "mask_file_name",
    "content": "content_file_name",
    "style": "style_source",
    "result": "file_name",
}
# Formats of Pillow by suffix.
FORMATS = {".png": "PNG", ".pdf": "PDF", ".jpg": "JPEG", ".jpeg": "JPEG"}
PIXELS_PER_INCH = 150


def contact_sheet(folder: Folder, label_space: LabelSpace, rows: int = 6) -> Image.Image:
    """Show some scenes of a finished image set, one a row, each tile with what it is and its id.

    The scenes are spread evenly over the set, each in the style that was shown least so far. A set
    without label maps or styles has no column for them. Styles are read from where the job found
    them and cropped to the proportions of the result; one that is gone is a grey tile.

    Args:
        folder: the image set.
        label_space: label space of its label maps.
        rows: how many scenes at most.

    Returns:
        RGB image with tiles of 256 pixels across.

    Raises:
        FileNotFoundError: no finished image set is there.
        DamagedFileError: its metadata are damaged.
        ConfigurationError: there are no images, or one is missing or damaged, or its label map is
            of another space.
    """
    table = read_metadata(folder)
    if not len(table):
        raise ConfigurationError(f"{folder.uri} holds no images")
    names = [
        name
        for name, column in COLUMNS.items()
        if column in table.column_names and not table[column].null_count
    ]
    # A set of photos has no label map that could tell the scene.
    ids = {names[0] if names[0] == "label map" else "result": "mask_id", "style": "style_id"}
    strips = []
    for row in choose_scenes(table, rows):
        strips.append(_strip_of_tiles([_tile(folder, label_space, row, name) for name in names]))
        strips.append(
            _strip_of_captions([(name, row[ids[name]] if name in ids else None) for name in names])
        )
    height = sum(strip.height for strip in strips) + GUTTER
    sheet = Image.new("RGB", (_left(len(names)), height), WHITE)
    top = GUTTER
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def write_figure(uri: str, output: str, rows: int, label_space: str | None = None) -> str:
    """Save the contact sheet of a finished image set, and return the path or URI of the file.

    Args:
        uri: the image set.
        output: path or URI of the file, NAME.png, NAME.pdf, NAME.jpg or NAME.jpeg.
        rows: how many scenes at most.
        label_space: name or YAML file of the set's label space; needed if it is one of your own.

    Raises:
        ConfigurationError: there is no finished image set with images, the file has another suffix
            or cannot be written, or the label space is not known.
    """
    suffix = PurePosixPath(output).suffix.lower()
    if suffix not in FORMATS:
        raise ConfigurationError(f"--output {output}: the suffix must be {', '.join(FORMATS)}")
    folder = Folder(uri)
    space = _label_space(folder) if label_space is None else find_label_space(label_space)
    try:
        sheet = contact_sheet(folder, space, rows)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigurationError(f"{folder.uri} holds no finished image set") from error
    # In PDF, Pillow writes pictures as JPEG.
    if FORMATS[suffix] != "PNG" and sheet.height > LONGEST_JPEG_SIDE:
        raise ConfigurationError(
            f"--rows {rows}: a picture of {sheet.height} lines does not fit into a {suffix} file: "
            "give fewer, or a .png file"
        )
    buffer = io.BytesIO()
    sheet.save(buffer, FORMATS[suffix], resolution=PIXELS_PER_INCH, quality=95)
    parent, _, name = output.rpartition("/")
    target = Folder(parent or ("/" if output.startswith("/") else "."))
    try:
        target.write(name, buffer.getvalue())
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {reason(error)}") from error
    target.clear_staging()
    return f"{target.uri}/{name}"


def _label_space(folder: Folder) -> LabelSpace:
    """The label space of the job that made an image set."""
    if not folder.exists(CONFIGURATION):
        raise ConfigurationError(f"{folder.uri} holds no image set")
    name = read_record(folder, CONFIGURATION)["label_space"]
    if name not in LABEL_SPACES:
        raise ConfigurationError(f"give --label-space, the YAML file of {name.partition(' ')[0]}")
    return LABEL_SPACES[name]


def _tile(folder: Folder, label_space: LabelSpace, row: Row, name: str) -> Image.Image:
    """An image of a row, one of ``COLUMNS``, as wide as a tile and shaped like the row's result."""
    file = row[COLUMNS[name]]
    size = TILE, max(1, round(TILE * row["height"] / row["width"]))
    if name == "style":
        style = read_style(file)
        if style is None:
            return Image.new("RGB", size, GREY)
        return _fit(style, size, Image.Resampling.LANCZOS)
    try:
        image = decode(read_image(folder, file))
        if name == "label map":
            image = label_space.colourize(label_space.decode(image))
    except DECODING_ERRORS as error:
        raise ConfigurationError(f"{folder.uri}/{file} cannot be shown: {error}") from error
    is_map = name == "label map"
    return _fit(image, size, Image.Resampling.NEAREST if is_map else Image.Resampling.LANCZOS)


def _fit(
    image: NDArray[np.uint8], size: tuple[int, int], resampling: Image.Resampling
) -> Image.Image:
    return ImageOps.fit(Image.fromarray(image), size, resampling)


def _strip_of_tiles(tiles: Sequence[Image.Image]) -> Image.Image:
    strip = _strip(len(tiles), tiles[0].height)
    for column, tile in enumerate(tiles):
        strip.paste(tile, (_left(column), 0))
    return strip


def _strip_of_captions(captions: Sequence[tuple[str, str | None]]) -> Image.Image:
    """The name of each tile in black, with the id, if it has one, in grey."""
    strip = _strip(len(captions), CAPTION)
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(FONT_SIZE)
    for column, (name, id) in enumerate(captions):
        left = _left(column)
        draw.text((left, FONT_SIZE), name, BLACK, font, anchor="lm")
        if id is None:
            continue
        used = draw.textlength(f"{name}  ", font)
        # Ids may contain line breaks and be of any length; the font has the letters of Latin 1.
        known = id.encode("latin-1", "backslashreplace").decode("latin-1")
        line = shortened = " ".join(known.split())
        while used + draw.textlength(shortened, font) > TILE:
            line = line[:-1]
            shortened = f"{line}..."
        draw.text((left + used, FONT_SIZE), shortened, GREY, font, anchor="lm")
    return strip


def _strip(columns: int, height: int) -> Image.Image:
    return Image.new("RGB", (_left(columns), height), WHITE)


def _left(column: int) -> int:
    return GUTTER + column * (TILE + GUTTER)
