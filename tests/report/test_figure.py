"""Figures of image sets in files, from files and shards, with ids of all kinds."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spadepis.configuration import ConfigurationError
from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import CONFIGURATION
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.report.contact_sheet import TILE, write_figure


def image_set(path: Path, in_shards: bool) -> str:
    """Three scenes with ids that no font has, in a style that is gone."""
    folder = Folder(str(path))
    writer = ImageSetWriter(folder, "png", 95, in_shards=in_shards)
    photo = writer.encode(np.full((32, 32, 3), 200, np.uint8))
    label_map = encode_png(np.zeros((32, 32), np.uint8))
    pairs = [
        Encoded(Commit(id, "s", "m", "/gone.png", height=32, width=32), photo, label_map, photo)
        for id in ("夜", "é", "a\nb")
    ]
    write_index(folder, to_table(writer.publish(pairs)), {}, {})
    folder.write(CONFIGURATION, json.dumps({"label_space": "coco-stuff"}).encode())
    return folder.uri


@pytest.mark.parametrize("in_shards", [False, True])
def test_a_figure_in_each_format(tmp_path: Path, in_shards: bool) -> None:
    uri = image_set(tmp_path / "out", in_shards)
    written = write_figure(uri, str(tmp_path / "f.png"), rows=2)
    assert written == str(tmp_path / "f.png")
    with Image.open(written) as figure:
        assert figure.width > 4 * TILE and 2 * TILE < figure.height < 3 * TILE
        # Style and result of the first row.
        row = np.asarray(figure)[200, :]
        assert (row[3 * TILE + 100] == (200, 200, 200)).all()
        assert (row[2 * TILE + 100] == (0x66, 0x70, 0x75)).all()
    assert write_figure(uri, str(tmp_path / "f.pdf"), rows=9)
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.pdf", "f.png", "out"]


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    uri = image_set(tmp_path / "out", in_shards=False)
    with pytest.raises(ConfigurationError, match=r"suffix must be \.png, \.pdf"):
        write_figure(uri, "f.svg", rows=2)
    with pytest.raises(ConfigurationError, match="holds no image set"):
        write_figure(str(tmp_path), "f.png", rows=2)
    (mask, *_) = (tmp_path / "out" / "masks").rglob("*.png")
    content = mask.read_bytes()
    mask.write_bytes(encode_png(np.full((32, 32), 200, np.uint8)))
    with pytest.raises(ConfigurationError, match=f"{mask.name} cannot be shown: .* value 200"):
        write_figure(uri, str(tmp_path / "f.png"), rows=9)
    mask.write_bytes(content)
    images = sorted((tmp_path / "out" / "images").rglob("*.*"))
    for image, reason in zip(images, ("No such file", "cannot identify"), strict=False):
        content = image.read_bytes()
        image.unlink() if reason == "No such file" else image.write_bytes(b"damaged")
        with pytest.raises(ConfigurationError, match=f"{image.name} cannot be shown: .*{reason}"):
            write_figure(uri, str(tmp_path / "f.png"), rows=9)
        image.write_bytes(content)
    (tmp_path / "out" / "metadata.parquet").unlink()
    with pytest.raises(ConfigurationError, match="holds no finished image set"):
        write_figure(uri, str(tmp_path / "f.png"), rows=2)


def test_a_figure_of_nothing_or_too_high_for_its_format_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = image_set(tmp_path / "out", in_shards=False)
    monkeypatch.setattr("spadepis.report.contact_sheet.LONGEST_JPEG_SIDE", 2 * TILE)
    assert write_figure(uri, str(tmp_path / "f.jpeg"), rows=1)
    for suffix in (".jpg", ".pdf"):
        with pytest.raises(ConfigurationError, match="does not fit into a .* give fewer"):
            write_figure(uri, str(tmp_path / f"f{suffix}"), rows=2)
    assert write_figure(uri, str(tmp_path / "f.png"), rows=2)
    write_index(Folder(uri), to_table([]), {}, {})
    with pytest.raises(ConfigurationError, match="holds no images"):
        write_figure(uri, str(tmp_path / "f.png"), rows=2)
