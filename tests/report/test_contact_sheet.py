"""The contact sheet: which scenes and styles are on it, and where."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.report.contact_sheet import CAPTION, GUTTER, TILE, contact_sheet

STYLES = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}
CONTENT, RESULT = (90, 90, 90), (10, 200, 200)
HEIGHT, WIDTH = 32, 64


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A finished set of four scenes, each with every style; scene number i is all of class i."""
    folder = Folder(str(tmp_path / "out"))
    writer = ImageSetWriter(folder, "png", 95)
    pairs = []
    for style, colour in STYLES.items():
        Image.new("RGB", (50, 40), colour).save(tmp_path / f"{style}.png")
    for index in range(4):
        id = f"scene {index}\n" + "with a long name " * 5
        for style in sorted(STYLES):
            commit = Commit(
                id,
                style,
                "m.png",
                str(tmp_path / f"{style}.png"),
                height=HEIGHT,
                width=WIDTH,
            )
            label_map = encode_png(np.full((HEIGHT, WIDTH), index, "u1"))
            images = writer.encode(plain(RESULT)), label_map, writer.encode(plain(CONTENT))
            pairs.append(Encoded(commit, *images))
    write_index(folder, to_table(writer.publish(pairs)), {}, {})
    return folder


def plain(colour: Sequence[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((HEIGHT, WIDTH, 3), colour, np.uint8)


def colours(sheet: Image.Image, row: int) -> list[tuple[int, ...]]:
    """The colours of the tiles of a row; every tile must be of one colour."""
    tile_height = TILE * HEIGHT // WIDTH
    top = GUTTER // 2 + CAPTION + row * (tile_height + CAPTION)
    columns = (sheet.width - GUTTER) // (TILE + GUTTER)
    found = []
    for column in range(columns):
        left = GUTTER + column * (TILE + GUTTER)
        tile = np.asarray(sheet.crop((left, top, left + TILE, top + tile_height)))
        assert (tile == tile[0, 0]).all()
        found.append(tuple(tile[0, 0].tolist()))
    return found


def test_each_row_shows_a_scene_in_another_style(folder: Folder) -> None:
    sheet = contact_sheet(folder, COCO_STUFF, rows=3)
    assert sheet.mode == "RGB"
    assert sheet.width == 4 * (TILE + GUTTER) + GUTTER
    rows = [colours(sheet, row) for row in range(3)]
    # Scenes 0, 1 and 2 of the four are spread over the set.
    for index, row in enumerate(rows):
        assert row[0] == tuple(COCO_STUFF.colours[index].tolist())
        assert (row[1], row[3]) == (CONTENT, RESULT)
    assert {row[2] for row in rows} == set(STYLES.values())


def test_gutters_are_white_but_for_captions(folder: Folder) -> None:
    pixels = np.asarray(contact_sheet(folder, COCO_STUFF, rows=2))
    for column in range(5):
        left = column * (TILE + GUTTER)
        assert (pixels[:, left : left + GUTTER] == 255).all()
    # The heading, and the ids under the label map and the style; the others have no caption.
    below = GUTTER // 2 + CAPTION + TILE * HEIGHT // WIDTH
    for top, captions in ((GUTTER // 2, "1111"), (below, "1010")):
        for column, expected in enumerate(captions):
            left = GUTTER + column * (TILE + GUTTER)
            dark = pixels[top : top + CAPTION, left : left + TILE].min() < 200
            assert dark == (expected == "1")


def test_a_set_of_photos_alone(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    writer = ImageSetWriter(folder, "png", 95)
    commit = Commit("m", None, "m", None, height=HEIGHT, width=WIDTH)
    pair = Encoded(commit, writer.encode(plain(RESULT)), mask=None, content=None)
    write_index(folder, to_table(writer.publish([pair])), {}, {})
    assert colours(contact_sheet(folder, COCO_STUFF), 0) == [RESULT]


def test_it_is_saved_by_suffix(folder: Folder, tmp_path: Path) -> None:
    sheet = contact_sheet(folder, COCO_STUFF, rows=1)
    for name, image_format in (("sheet.png", "PNG"), ("sheet.jpg", "JPEG")):
        sheet.save(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size) == (image_format, sheet.size)


def test_unfinished_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        contact_sheet(Folder(str(tmp_path)), COCO_STUFF)
