"""Files of which a decoder would make other pixels than were written."""

import io
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.dataset.inputs.photos import read_photo
from tests.truth.writers import (
    LONG,
    PNG_SIGNATURE,
    SHORT,
    Entry,
    chunk,
    colour_tiff,
    directory,
    encoded,
    packed,
    tiff,
)

LIMIT = 100_000
LABELS = np.arange(1, 12 * 16 + 1, dtype=np.uint8).reshape(12, 16)
COLOURS = np.random.default_rng(5).integers(0, 256, (12, 16, 3), dtype=np.uint8)
TRUNCATED = r"cannot be decoded \(image file is truncated"
WRONG_CHECKSUM = r"cannot be decoded \(a checksum is wrong\)"
# Columns and rows of the passes of interlaced PNG files.
ADAM7 = [
    (slice(0, None, 8), slice(0, None, 8)),
    (slice(4, None, 8), slice(0, None, 8)),
    (slice(0, None, 4), slice(4, None, 8)),
    (slice(2, None, 4), slice(0, None, 4)),
    (slice(0, None, 2), slice(2, None, 4)),
    (slice(1, None, 2), slice(0, None, 2)),
    (slice(0, None, 1), slice(1, None, 2)),
]


def label_map_of(content: bytes, folder: Path) -> NDArray[Any]:
    path = folder / "label_map"
    path.write_bytes(content)
    return read_label_map(str(path), LIMIT)


def photo_of(content: bytes, folder: Path) -> NDArray[np.uint8]:
    path = folder / "photo"
    path.write_bytes(content)
    return read_photo(str(path), LIMIT)


def longs(tag: int, values: Sequence[int], place: int = 0) -> Entry:
    """An entry, whose values stand at a place in the file if there are several."""
    field = struct.pack("<I", values[0] if len(values) == 1 else place)
    return tag, LONG, len(values), field


def strips(offsets: Sequence[int], sizes: Sequence[int]) -> bytes:
    """A label map in strips of 4 rows that are where the offsets say."""
    tail = struct.pack(f"<{len(offsets)}I{len(sizes)}I", *offsets, *sizes)
    place = 8 + LABELS.size
    entries = [
        (278, SHORT, 1, struct.pack("<HH", 4, 0)),
        longs(273, offsets, place),
        longs(279, sizes, place + 4 * len(offsets)),
    ]
    return tiff(LABELS, 8, entries=entries, tail=tail)


def separate_channels(dtype: str) -> bytes:
    """An uncompressed photo, whose channels stand one after the other in a strip each."""
    samples = COLOURS.astype(dtype) * (257 if dtype == "<u2" else 1)
    data = samples.transpose(2, 0, 1).tobytes()
    offsets = [8 + plane * len(data) // 3 for plane in range(3)]
    bits = [samples.itemsize * 8] * 3
    tags = {256: 16, 257: 12, 259: 1, 262: 2, 277: 3, 284: 2}
    entries = [longs(tag, [value]) for tag, value in tags.items()]
    entries += [longs(258, bits, 8 + len(data)), longs(273, offsets, 20 + len(data))]
    data += struct.pack("<6I", *bits, *offsets)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory(entries)


def png_of(
    samples: NDArray[Any], rows: bytes, bits: int = 8, kind: int = 0, is_interlaced: bool = False
) -> bytes:
    """A PNG file of the size of samples [H,W] or [H,W,C], with rows."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, is_interlaced)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(chunk(*each) for each in chunks)


def rows_of(samples: NDArray[Any], bits: int = 8) -> bytes:
    """The rows of a PNG file, each behind its filter."""
    return b"".join(b"\0" + packed(row.reshape(-1), bits) for row in samples if row.size)


def passes_of(samples: NDArray[Any], bits: int) -> Iterable[bytes]:
    """The passes of an interlaced PNG file."""
    return (rows_of(samples[rows, columns], bits) for columns, rows in ADAM7)


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_files_that_are_cut_in_their_directory_are_refused(order: str, tmp_path: Path) -> None:
    content = tiff(LABELS, 8, order=order)
    assert np.array_equal(label_map_of(content, tmp_path), LABELS)
    # The offset of the next directory, which is the end of the file, is not needed.
    for cut in range(5, 100):
        with pytest.raises(UnreadableImageError):
            label_map_of(content[:-cut], tmp_path)


@pytest.mark.parametrize("is_big", [False, True])
def test_tiff_files_that_are_cut_in_their_pixels_are_refused(is_big: bool, tmp_path: Path) -> None:
    label_map, photo = (
        encoded(Image.fromarray(each), "TIFF", big_tiff=is_big) for each in (LABELS, COLOURS)
    )
    assert np.array_equal(label_map_of(label_map, tmp_path), LABELS)
    assert np.array_equal(photo_of(photo, tmp_path), COLOURS)
    for cut in range(1, 150):
        with pytest.raises(UnreadableImageError, match=TRUNCATED):
            label_map_of(label_map[:-cut], tmp_path)
        with pytest.raises(UnreadableImageError, match=TRUNCATED):
            photo_of(photo[:-cut], tmp_path)


@pytest.mark.parametrize("is_tiled", [False, True])
def test_compressed_tiff_files_that_end_in_their_pixels_are_refused(
    is_tiled: bool, tmp_path: Path
) -> None:
    content = colour_tiff(COLOURS, tiles=is_tiled)
    assert np.array_equal(photo_of(content, tmp_path), COLOURS)
    # The byte counts of one strip or tile stand in its entry.
    entry = content.rindex(struct.pack("<HHI", 325 if is_tiled else 279, LONG, 1))
    (size,) = struct.unpack_from("<I", content, entry + 8)
    longer = struct.pack("<I", size + len(content))
    content = content[: entry + 8] + longer + content[entry + 12 :]
    with pytest.raises(UnreadableImageError, match="cannot be decoded"):
        photo_of(content, tmp_path)


def test_values_of_a_tiff_directory_behind_the_end_are_missing(tmp_path: Path) -> None:
    def with_colours_from(place: int) -> bytes:
        entries = [(320, SHORT, 3 * 256, struct.pack("<I", place))]
        return tiff(LABELS, 8, photometric=3, entries=entries, tail=bytes(3 * 512))

    end = len(with_colours_from(0))
    assert photo_of(with_colours_from(end - 3 * 512), tmp_path).shape == (12, 16, 3)
    with pytest.raises(UnreadableImageError, match=f"{TRUNCATED}: the values of tag 320 are missi"):
        photo_of(with_colours_from(end - 3 * 512 + 10), tmp_path)


def test_strips_that_a_tiff_directory_does_not_name_are_missing(tmp_path: Path) -> None:
    assert np.array_equal(label_map_of(strips([8, 72, 136], [64] * 3), tmp_path), LABELS)
    with pytest.raises(UnreadableImageError, match="the directory names 2 of 3 strips"):
        label_map_of(strips([8, 72], [64] * 2), tmp_path)


def test_wrong_byte_counts_of_uncompressed_strips_do_not_matter(tmp_path: Path) -> None:
    assert np.array_equal(label_map_of(strips([8, 72, 136], [10**6] * 3), tmp_path), LABELS)


def test_sparse_tiff_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="it is sparse: a strip is not stored"):
        label_map_of(strips([8, 0, 136], [64, 0, 64]), tmp_path)
    with pytest.raises(UnreadableImageError, match="it is sparse: a strip is not stored"):
        photo_of(strips([8, 0, 136], [64, 0, 64]), tmp_path)
    tile = [longs(tag, [value]) for tag, value in {322: 16, 323: 16, 324: 0, 325: 0}.items()]
    entries = [longs(tag, [value]) for tag, value in {256: 16, 257: 12, 258: 8, 262: 1}.items()]
    content = b"II*\0" + struct.pack("<I", 8) + directory(entries + tile) + bytes(256)
    with pytest.raises(UnreadableImageError, match="it is sparse: a tile is not stored"):
        label_map_of(content, tmp_path)


def test_separate_channels_of_16_bits_are_read_if_they_are_compressed(tmp_path: Path) -> None:
    content = colour_tiff(COLOURS.astype(np.uint16) * 257, planar=True)
    assert np.array_equal(photo_of(content, tmp_path), COLOURS)
    assert np.array_equal(photo_of(separate_channels("u1"), tmp_path), COLOURS)
    with pytest.raises(UnreadableImageError, match="PlanarConfiguration 2.* are not read: save it"):
        photo_of(separate_channels("<u2"), tmp_path)


def test_a_single_channel_may_be_separate(tmp_path: Path) -> None:
    entries = [(284, SHORT, 1, struct.pack("<HH", 2, 0))]
    wide = LABELS.astype(np.uint16) * 300
    assert np.array_equal(label_map_of(tiff(wide, 16, entries=entries), tmp_path), wide)
    bitmap = LABELS % 2
    photo = photo_of(tiff(bitmap, 1, entries=entries), tmp_path)
    assert np.array_equal(photo[..., 0], bitmap * 255)


def test_uncompressed_subsampled_colours_are_refused(tmp_path: Path) -> None:
    image = Image.fromarray(COLOURS).convert("YCbCr")
    content = encoded(image, "TIFF", tiffinfo={530: (2, 2)})
    entry = content.index(struct.pack("<HHI", 530, SHORT, 2))
    content = content[: entry + 8] + struct.pack("<HH", 2, 2) + content[entry + 12 :]
    with pytest.raises(UnreadableImageError, match="subsampled colours is not read"):
        photo_of(content, tmp_path)


@pytest.mark.parametrize("scale", [1, 257])
def test_colour_maps_of_8_bits_are_read_in_tables_of_16(scale: int, tmp_path: Path) -> None:
    levels = np.random.default_rng(2).integers(0, 256, (3, 256)).astype("<u2")
    entries = [(320, SHORT, levels.size, struct.pack("<I", 8 + LABELS.size))]
    tail = (levels * scale).tobytes()
    content = tiff(LABELS, 8, photometric=3, entries=entries, tail=tail)
    assert np.array_equal(photo_of(content, tmp_path), levels.T[LABELS])


@pytest.mark.parametrize("fill_bytes", [0, 1, 3, 100_000])
def test_fill_bytes_before_the_markers_of_a_jpeg_do_not_hide_its_orientation(
    fill_bytes: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.new("RGB", (16, 8)), "JPEG", exif=exif)
    place = content.index(b"\xff\xe1")
    content = content[:place] + b"\xff" * fill_bytes + content[place:]
    assert photo_of(content, tmp_path).shape == (16, 8, 3)


@pytest.mark.parametrize(("maximum", "dtype"), [(20, "u1"), (255, "u1"), (300, ">u2")])
def test_values_above_the_maximum_of_a_pgm_are_refused(
    maximum: int, dtype: str, tmp_path: Path
) -> None:
    header = b"P5\n# from 0\n4 2\n%d\n" % maximum
    values = np.array([[0, 5, 12, maximum]] * 2, dtype)
    # What follows is another image.
    content = header + values.tobytes() + b"P5\n1 1\n9\n\xff"
    assert np.array_equal(label_map_of(content, tmp_path), values)
    if maximum != 255:
        values[1, 1] = maximum + 1
        with pytest.raises(UnreadableImageError, match=f"values above {maximum}, which its header"):
            label_map_of(header + values.tobytes(), tmp_path)


@pytest.mark.parametrize("header", [b"4 4\n%s\n", b"4 %s\n255\n", b"%s 4\n255\n"])
@pytest.mark.parametrize("digit", [b"0", b"9"])
def test_numbers_of_thousands_of_digits_are_refused(
    header: bytes, digit: bytes, tmp_path: Path
) -> None:
    content = b"P5\n" + header % (digit * 5000) + bytes(16)
    with pytest.raises(UnreadableImageError, match="cannot be decoded"):
        label_map_of(content, tmp_path)
    with pytest.raises(UnreadableImageError, match="cannot be decoded"):
        photo_of(content, tmp_path)


@pytest.mark.parametrize(
    ("bits", "kind", "samples"),
    [
        *((bits, 0, LABELS % (1 << bits)) for bits in (1, 2, 4)),
        (8, 0, LABELS),
        (16, 0, LABELS.astype(np.uint16) * 257),
        (8, 2, COLOURS),
        (16, 2, COLOURS.astype(np.uint16) * 257),
        (8, 4, COLOURS[..., :2]),
        (8, 6, np.dstack([COLOURS, COLOURS[..., 0]])),
    ],
)
@pytest.mark.parametrize("is_interlaced", [False, True])
def test_png_files_with_too_few_rows_are_refused(
    bits: int, kind: int, samples: NDArray[Any], is_interlaced: bool, tmp_path: Path
) -> None:
    # Black, so that missing rows do not show.
    samples = samples.copy()
    samples[-3:] = 0
    rows = b"".join(passes_of(samples, bits)) if is_interlaced else rows_of(samples, bits)
    whole = png_of(samples, rows, bits, kind, is_interlaced)
    expected = photo_of(encoded(Image.open(io.BytesIO(whole)), "PNG"), tmp_path)
    assert np.array_equal(photo_of(whole, tmp_path), expected)
    assert np.array_equal(
        photo_of(png_of(samples, rows + b"more", bits, kind, is_interlaced), tmp_path), expected
    )
    for missing in (1, 30, len(rows) // 2):
        short = png_of(samples, rows[:-missing], bits, kind, is_interlaced)
        with pytest.raises(UnreadableImageError, match=TRUNCATED):
            photo_of(short, tmp_path)


def test_label_maps_are_not_filled_up_with_zeros(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match=f"{TRUNCATED}: it has fewer rows than"):
        label_map_of(png_of(LABELS[:4, :4], rows_of(LABELS[:2, :4])), tmp_path)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 2), (17, 33)])
def test_interlaced_label_maps_of_any_size_are_read(size: tuple[int, int], tmp_path: Path) -> None:
    values = np.zeros(size, np.uint8)
    rows = b"".join(passes_of(values, 8))
    assert np.array_equal(label_map_of(png_of(values, rows, is_interlaced=True), tmp_path), values)
    with pytest.raises(UnreadableImageError):
        label_map_of(png_of(values, rows[:-1], is_interlaced=True), tmp_path)


def test_every_flipped_bit_in_the_pixels_of_a_png_is_found(tmp_path: Path) -> None:
    content = png_of(LABELS, rows_of(LABELS))
    assert np.array_equal(label_map_of(content, tmp_path), LABELS)
    first, end = content.index(b"IDAT") + 4, content.index(b"IEND") - 4
    for place in range(first, end):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(UnreadableImageError, match="cannot be decoded"):
            label_map_of(bytes(damaged), tmp_path)


def test_the_checksum_of_pixels_is_checked(tmp_path: Path) -> None:
    content = png_of(LABELS, rows_of(LABELS))
    end = content.index(b"IEND") - 4
    content = content[: end - 1] + bytes([content[end - 1] ^ 1]) + content[end:]
    with pytest.raises(UnreadableImageError, match=WRONG_CHECKSUM):
        label_map_of(content, tmp_path)
    with pytest.raises(UnreadableImageError, match=WRONG_CHECKSUM):
        photo_of(content, tmp_path)


def test_checksums_of_metadata_do_not_matter(tmp_path: Path) -> None:
    content = png_of(LABELS, rows_of(LABELS))
    comment = chunk(b"tEXt", b"Comment\0sound")[:-1] + b"?"
    place = content.index(b"IDAT") - 4
    content = content[:place] + comment + content[place:]
    assert np.array_equal(label_map_of(content, tmp_path), LABELS)


def test_the_frames_of_an_animated_png_do_not_count_as_rows(tmp_path: Path) -> None:
    images = [Image.new("RGB", (16, 12), colour) for colour in ("black", "white")]
    content = encoded(images[0], "PNG", save_all=True, append_images=images[1:])
    assert not photo_of(content, tmp_path).any()
