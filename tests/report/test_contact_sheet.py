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
    top = GUTTER + row * (tile_height + CAPTION)
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


def captions(sheet: Image.Image) -> list[tuple[bool, bool]]:
    """For each tile of the first row, whether its caption has a name in black and an id in grey."""
    below = GUTTER + TILE * HEIGHT // WIDTH
    pixels = np.asarray(sheet.crop((0, below, sheet.width, below + CAPTION)).convert("L"))
    tiles = [
        pixels[:, left : left + TILE] for left in range(GUTTER, sheet.width - GUTTER, TILE + GUTTER)
    ]
    # Names take at most 70 pixels; those that are dark there and grey further on have both.
    return [(bool((tile[:, :70] < 60).any()), bool((tile[:, 80:] < 200).any())) for tile in tiles]


def test_every_tile_is_named_and_scenes_and_styles_have_their_ids(folder: Folder) -> None:
    sheet = contact_sheet(folder, COCO_STUFF, rows=2)
    pixels = np.asarray(sheet)
    for column in range(5):
        left = column * (TILE + GUTTER)
        assert (pixels[:, left : left + GUTTER] == 255).all()
    assert captions(sheet) == [(True, True), (True, False), (True, False), (True, False)]
    # "style" is short, and so are its ids.
    below = GUTTER + TILE * HEIGHT // WIDTH
    left = GUTTER + 2 * (TILE + GUTTER)
    assert (pixels[below : below + CAPTION, left + 45 : left + 80] < 200).any()


def test_a_set_of_photos_alone(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    writer = ImageSetWriter(folder, "png", 95)
    commit = Commit("a photo of the sea", None, "m", None, height=HEIGHT, width=WIDTH)
    pair = Encoded(commit, writer.encode(plain(RESULT)), mask=None, content=None)
    write_index(folder, to_table(writer.publish([pair])), {}, {})
    sheet = contact_sheet(folder, COCO_STUFF)
    assert colours(sheet, 0) == [RESULT]
    # The result has the id of the photo, which no label map has here.
    assert captions(sheet) == [(True, True)]


def test_it_is_saved_by_suffix(folder: Folder, tmp_path: Path) -> None:
    sheet = contact_sheet(folder, COCO_STUFF, rows=1)
    for name, image_format in (("sheet.png", "PNG"), ("sheet.jpg", "JPEG")):
        sheet.save(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size) == (image_format, sheet.size)


def test_unfinished_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        contact_sheet(Folder(str(tmp_path)), COCO_STUFF)
