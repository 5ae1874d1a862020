"""Directories of any tags and types: metadata never fails a photo, and nothing else escapes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.dataset.inputs.photos import read_photo
from tests.truth.photo_cases import GREY, JPEG, PHOTO, TAGS, turned, with_exif
from tests.truth.writers import RGB, Entry, chunk, exif, oriented, png, tiff

LIMIT = 10**6
FEW, MANY = 200, 10_000
examples = pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.faults)])
# Tags of pixels among them, which a mistyped entry may fail.
PIXEL_TAGS = (*range(254, 285), *range(317, 326), 338, 339, 347, *range(512, 533))

# Of the directory itself, in both byte orders.
OFFSETS = (b"\x08\0\0\0", b"\0\0\0\x08")
ENTRIES = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(TAGS), st.sampled_from(PIXEL_TAGS), st.integers(0, 65535)),
        st.integers(0, 20),
        st.one_of(st.integers(0, 6), st.integers(0, 0xFFFFFFFF)),
        st.one_of(
            st.binary(min_size=4, max_size=4), st.sampled_from([b"\x08\0\0\0", b"\0\0\0\x08"])
        ),
    ),
    max_size=8,
)
ORDERS = st.sampled_from("<>")
# Pillow says on the way what it finds odd.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@examples
def test_exif_of_any_tags(examples: int, tmp_path: Path) -> None:
    jpeg, portable = tmp_path / "a.jpg", tmp_path / "a.png"
    jpeg.write_bytes(JPEG)
    stored = read_photo(str(jpeg), LIMIT)

    @settings(max_examples=examples, deadline=None, database=None, derandomize=examples == FEW)
    @given(ENTRIES, ORDERS, st.integers(1, 8), st.binary(max_size=40))
    def run(entries: Sequence[Entry], order: str, orientation: int, tail: bytes) -> None:
        others = [entry for entry in entries if entry[0] != 274]
        metadata = exif([*others, oriented(orientation, order)], order, tail)
        jpeg.write_bytes(with_exif(metadata))
        assert np.array_equal(read_photo(str(jpeg), LIMIT), turned(stored, orientation))
        portable.write_bytes(png(PHOTO, 8, RGB, extra=chunk(b"eXIf", metadata)))
        assert np.array_equal(read_photo(str(portable), LIMIT), turned(PHOTO, orientation))

    run()


@examples
def test_tiff_of_any_tags(examples: int, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"

    @settings(max_examples=examples, deadline=None, database=None, derandomize=examples == FEW)
    @given(ENTRIES, ORDERS, st.sampled_from((1, 2, 4, 8, 16)), st.integers(0, 8))
    def run(entries: Sequence[Entry], order: str, bits: int, photometric: int) -> None:
        samples = GREY >> max(0, 8 - bits)
        path.write_bytes(tiff(samples, bits, photometric, entries, order))
        with suppress(UnreadableImageError):
            assert read_photo(str(path), LIMIT).shape[2] == 3
        with suppress(UnreadableImageError):
            assert read_label_map(str(path), LIMIT).ndim == 2

    run()
