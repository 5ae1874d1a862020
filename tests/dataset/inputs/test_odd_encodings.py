"""Label maps in encodings that decoders take for others, or of which they make up a part."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS
from spadepis.dataset.inputs.examination import conventions_of, examine_label_maps
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_label_map, resize_label_map
from spadepis.labels import ADE20K

MOST = 10**6


def read(path: Path) -> NDArray[np.integer]:
    return read_label_map(str(path), MOST, UNKNOWN_CONVENTIONS, ADE20K)


def with_palette(indices: NDArray[np.uint8], greys: list[int]) -> Image.Image:
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.flatten().tolist())
    image.putpalette([grey for grey in greys for _ in range(3)])
    return image


def tiff(values: NDArray[np.integer], order: str, compression: int, content: bytes) -> bytes:
    """A TIFF file of one strip."""
    height, width = values.shape
    sample_format = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    mark = {"<": b"II", ">": b"MM"}[order]
    tags = {
        256: width,
        257: height,
        258: 8 * values.dtype.itemsize,
        259: compression,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(content),
        339: sample_format,
    }
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, tags[tag]) for tag in tags)
    place = 8 + len(content)
    head = mark + struct.pack(f"{order}HI", 42, place)
    return head + content + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def test_a_grey_palette_that_permutes_its_values_means_the_greys(tmp_path: Path) -> None:
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    greys = np.array([2, 0, 1])
    with_palette(indices, greys.tolist()).save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png") == greys[indices]).all()


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_a_palette_of_one_grey_tells_nothing(suffix: str, tmp_path: Path) -> None:
    indices = np.full((8, 8), 7, np.uint8)
    with_palette(indices, [0] * 256).save(tmp_path / f"a.{suffix}")
    with pytest.raises(UnreadableImageError, match="several indices as the same grey"):
        read(tmp_path / f"a.{suffix}")


def test_scaled_values_do_not_excuse_palettes_that_differ(tmp_path: Path) -> None:
    indices = np.arange(16, dtype=np.uint8).reshape(4, 4) % 3
    sources = {}
    for name, colours in (("a", [9, 0, 0, 0, 9, 0, 0, 0, 9]), ("b", [0, 9, 0, 9, 0, 0, 0, 0, 9])):
        image = with_palette(indices, [0] * 3)
        image.putpalette(colours)
        image.save(tmp_path / f"{name}.png")
        sources[name] = str(tmp_path / f"{name}.png")
    findings, unreadable = examine_label_maps(sources, None, MOST)
    assert not unreadable
    for scaling in (None, "full"):
        conventions = conventions_of(findings, scaling=scaling)
        with pytest.raises(UnreadableImageError, match="palette differs"):
            read_label_map(sources["a"], MOST, conventions, ADE20K)
    conventions = conventions_of(findings, scaling="raw")
    assert (read_label_map(sources["a"], MOST, conventions, ADE20K) == indices).all()


def test_pixels_that_a_gif_does_not_store_have_no_class(tmp_path: Path) -> None:
    greys = list(range(256))
    stored = io.BytesIO()
    with_palette(np.full((10, 10), 7, np.uint8), greys).save(stored, "GIF")
    content = bytearray(stored.getvalue())
    (tmp_path / "whole.gif").write_bytes(content)
    assert (read(tmp_path / "whole.gif") == 7).all()
    content[6:10] = struct.pack("<HH", 20, 20)
    (tmp_path / "part.gif").write_bytes(content)
    with pytest.raises(UnreadableImageError, match="does not store all of its pixels"):
        read(tmp_path / "part.gif")


def test_pixels_that_run_lengths_leave_out_have_no_class(tmp_path: Path) -> None:
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    # Two pixels of 7, two columns to the right, end of the line; the other line is left out.
    data = bytes([2, 7, 0, 2, 2, 0, 0, 0, 0, 1])
    offset = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 1, len(data), 0, 0, 256, 0)
    head = b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset)
    (tmp_path / "a.bmp").write_bytes(head + header + palette + data)
    with pytest.raises(UnreadableImageError, match="run lengths may leave out pixels"):
        read(tmp_path / "a.bmp")


def test_a_header_of_pgm_with_two_line_ends_is_refused(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    (tmp_path / "a.pgm").write_bytes(b"P5\r\n4 3\r\n255\n" + pixels.tobytes())
    assert (read(tmp_path / "a.pgm") == pixels).all()
    (tmp_path / "a.pgm").write_bytes(b"P5\r\n4 3\r\n255\r\n" + pixels.tobytes())
    with pytest.raises(UnreadableImageError, match="CR and LF"):
        read(tmp_path / "a.pgm")


def test_signed_bytes_have_their_sign(tmp_path: Path) -> None:
    values = np.array([[3, -75], [0, 1]], np.int8)
    (tmp_path / "a.tif").write_bytes(tiff(values, "<", 1, values.tobytes()))
    assert (read(tmp_path / "a.tif") == values).all()
    assert (resize_label_map(read(tmp_path / "a.tif"), 2, 2) == values).all()


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
def test_either_byte_order_is_read_right_or_refused(
    kind: str, order: str, compression: int, tmp_path: Path
) -> None:
    values = np.array([[3, 100], [0, 1]], f"{order}{kind}")
    content = values.tobytes() if compression == 1 else zlib.compress(values.tobytes())
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(values, order, compression, content))
    if order == ">" and compression == 8 and kind in ("i2", "i4"):
        with pytest.raises(UnreadableImageError, match="high byte first"):
            read(path)
        return
    assert (read(path) == values).all()
