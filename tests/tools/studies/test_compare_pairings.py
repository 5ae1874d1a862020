"""Image sets side by side, by how well their styles suit the scenes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spadepis.configuration import ConfigurationError
from spadepis.dataset.encoding import encode_jpeg, encode_png
from spadepis.dataset.image_set.commit_log import read_log, write_commits
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import image_name, label_map_name
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from tools.studies.compare_pairings import compare_pairings, table_of


def raw(*names: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A label map of equal parts of classes, as a dataset stores it."""
    values = [COCO_STUFF.raw_values[COCO_STUFF.names.index(name)] for name in names]
    return np.array(values, np.uint8).repeat(8)[None].repeat(8, 0)


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    folder = tmp_path / "style_masks"
    folder.mkdir()
    for name, classes in {"coast": ("sea", "sky-other"), "town": ("road", "car")}.items():
        Image.fromarray(raw(*classes)).save(folder / f"{name}.png")
    return folder


def image_set(folder: Path, style_of: dict[str, str], structure: float) -> str:
    """Two scenes, a coast and a street, in given styles."""
    output = Folder(str(folder))
    commits = []
    for id, classes in {"shore": ("sea", "sky-other"), "street": ("road", "tree")}.items():
        mask, image = label_map_name(id), image_name(id, style_of[id], "jpg")
        label_map = raw(*classes)
        output.write(mask, encode_png(label_map))
        output.write(image, encode_jpeg(label_map[..., None].repeat(3, 2), 90))
        commit = Commit(id, style_of[id], "m", "s", image, mask, height=8, width=16)
        commits.append(replace(commit, quality={"structure": structure}))
    write_commits(output, commits)
    write_index(output, read_log(output), {}, {})
    return str(folder)


def test_styles_that_suit_their_scenes_have_their_classes(styles: Path, tmp_path: Path) -> None:
    suited = image_set(tmp_path / "suited", {"shore": "coast", "street": "town"}, 0.75)
    swapped = image_set(tmp_path / "swapped", {"shore": "town", "street": "coast"}, 0.5)
    figures = compare_pairings([suited, swapped], str(styles), COCO_STUFF)
    # The coast has both classes of the shore, the town one of the two of the street.
    expected = {"pairs": 2, "overlap": 0.75, "main_classes": 0.5, "structure": 0.75}
    assert figures[suited] == pytest.approx(expected)
    assert figures[swapped] == pytest.approx(
        {"pairs": 2, "overlap": 0, "main_classes": 0, "structure": 0.5}
    )
    lines = table_of(figures).splitlines()
    assert lines[0] == f"| | {suited} | {swapped} |"
    assert "| overlap | 0.750 | 0.000 |" in lines


def test_a_style_without_label_map_is_named(styles: Path, tmp_path: Path) -> None:
    (styles / "town.png").unlink()
    images = image_set(tmp_path / "images", {"shore": "coast", "street": "town"}, 0.75)
    with pytest.raises(ConfigurationError, match="no label map of the style town"):
        compare_pairings([images], str(styles), COCO_STUFF)
    with pytest.raises(ConfigurationError, match="none does not exist"):
        compare_pairings([images], str(tmp_path / "none"), COCO_STUFF)
