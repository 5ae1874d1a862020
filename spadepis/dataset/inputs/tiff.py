"""The first directory of a TIFF file, which is also the structure of EXIF (TIFF 6.0, 1992).

Only what is needed is read, and nothing in a directory is trusted: an entry of the wrong type, or
one that points out of the file, is as if it were not there.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ORIENTATION = 274
EXIF = 34665
COLOUR_SPACE = 40961
INTEROPERABILITY = 40965
INTEROPERABILITY_INDEX = 1
ICC_PROFILE = 34675
XMP = 700
IMAGE_WIDTH = 256
IMAGE_LENGTH = 257
BITS_PER_SAMPLE = 258
COMPRESSION = 259
PHOTOMETRIC_INTERPRETATION = 262
STRIP_OFFSETS = 273
SAMPLES_PER_PIXEL = 277
ROWS_PER_STRIP = 278
STRIP_BYTE_COUNTS = 279
PLANAR_CONFIGURATION = 284
COLOUR_MAP = 320
TILE_WIDTH = 322
TILE_LENGTH = 323
TILE_OFFSETS = 324
TILE_BYTE_COUNTS = 325
SAMPLE_FORMAT = 339
YCBCR_SUBSAMPLING = 530
WHITE_IS_ZERO = 0
YCBCR = 6
UNSIGNED, SIGNED = 1, 2
BIG_ENDIAN = b"MM"

# Struct codes of the integer types: BYTE, SHORT, LONG, their signed ones, and those of BigTIFF.
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}
# Of the other types: ASCII, RATIONAL, UNDEFINED, SRATIONAL, FLOAT, DOUBLE, IFD and IFD8.
_OTHER_SIZES = {2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8, 13: 4, 18: 8}
# BYTE, ASCII, UNDEFINED.
_BYTES = (1, 2, 7)
# What decides about pixels: their layout, compression and colours. Orientation does not.
PIXEL_TAGS = frozenset(
    (
        *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323),
        *(324, 325, 332, 336, 338, 339, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529),
        *(530, 531, 532),
    )
)


@dataclass(frozen=True)
class _Layout:
    """The struct codes of a file, and where it says where the directory is.

    An entry is a tag, a type, the number of values, and these or where they are.
    """

    order: str
    pointer: str
    count: str
    entry: str
    first: int


@dataclass(frozen=True)
class Directory:
    """The first directory of a TIFF file.

    Attributes:
        content: the whole file.
        entries: type, number of values and value field by tag.
        has_next: whether the file says that another directory follows.
        is_cut: whether the file ends before the last entry does.
    """

    content: bytes
    layout: _Layout
    entries: Mapping[int, tuple[int, int, bytes]]
    has_next: bool
    is_cut: bool

    def integers(self, tag: int) -> Sequence[int]:
        """The values of an entry; none if it is missing, damaged or not of integers."""
        kind, count, field = self.entries.get(tag, (0, 0, b""))
        code = _INTEGERS.get(kind)
        if code is None:
            return ()
        found = self._value(count * struct.calcsize(code), field)
        return () if found is None else struct.unpack(f"{self.layout.order}{count}{code}", found)

    def data(self, tag: int) -> bytes | None:
        """The value of an entry of bytes; None if it is missing, damaged or of another type."""
        kind, count, field = self.entries.get(tag, (0, 0, b""))
        return self._value(count, field) if kind in _BYTES else None

    def inner(self, tag: int) -> Directory | None:
        """The directory that an entry points to; None if there is none."""
        places = self.integers(tag)
        return read_directory(self.content, places[0]) if len(places) == 1 else None

    def is_within_file(self, tag: int) -> bool:
        """Whether the file has all values of an entry; true for unknown types."""
        kind, count, field = self.entries[tag]
        code = _INTEGERS.get(kind)
        size = _OTHER_SIZES.get(kind, 0) if code is None else struct.calcsize(code)
        return self._value(count * size, field) is not None

    @property
    def orientation(self) -> int | None:
        """The EXIF orientation, 1 to 8; None if it is missing or is none of these."""
        values = self.integers(ORIENTATION)
        return values[0] if len(values) == 1 and 1 <= values[0] <= 8 else None

    def _value(self, size: int, field: bytes) -> bytes | None:
        if size <= len(field):
            return field[:size]
        (offset,) = struct.unpack(self.layout.pointer, field)
        return self.content[offset : offset + size] if offset + size <= len(self.content) else None


def read_directory(content: bytes, start: int | None = None) -> Directory | None:
    """The directory at a place in a TIFF file or in EXIF, or the first; None if there is none."""
    layout = _layout(content)
    if layout is None:
        return None
    try:
        if start is None:
            (start,) = struct.unpack_from(layout.pointer, content, layout.first)
        if not 0 <= start < len(content):
            return None
        (count,) = struct.unpack_from(layout.count, content, start)
    except struct.error:
        return None
    first, start = start, start + struct.calcsize(layout.count)
    size = struct.calcsize(layout.entry)
    held = min(count, (len(content) - start) // size)
    end = start + held * size
    entries: dict[int, tuple[int, int, bytes]] = {}
    for tag, *entry in struct.iter_unpack(layout.entry, content[start:end]):
        entries.setdefault(tag, tuple(entry))
    pointer = content[end : end + struct.calcsize(layout.pointer)]
    # Some files say that their first directory follows again.
    has_next = any(pointer) and pointer != struct.pack(layout.pointer, first)
    return Directory(content, layout, entries, has_next, is_cut=held < count)


def narrow_palette(directory: Directory) -> bytes | None:
    """The colours of a palette of 8 bits, red, green and blue of each; None if it has 16.

    Some programs write 8-bit colours into the table of 16 bits, in which all of them are black.
    """
    levels = directory.integers(COLOUR_MAP)
    if not levels or len(levels) % 3 or not 0 <= min(levels) <= max(levels) <= 255:
        return None
    count = len(levels) // 3
    return bytes(levels[channel * count + i] for i in range(count) for channel in range(3))


def without_metadata(directory: Directory) -> bytes:
    """The file with a directory that has nothing but what decides about pixels, and no other page.

    The new directory stands at the end of the file, so that nothing else moves.
    """
    layout, content = directory.layout, directory.content
    entries = [
        struct.pack(layout.entry, tag, *entry) for tag, entry in _pixel_entries(directory).items()
    ]
    start = len(content) + len(content) % 2
    return b"".join(
        (
            content[: layout.first],
            struct.pack(layout.pointer, start),
            content[layout.first + struct.calcsize(layout.pointer) :],
            bytes(len(content) % 2),
            struct.pack(layout.count, len(entries)),
            *entries,
            bytes(struct.calcsize(layout.pointer)),
        )
    )


def _pixel_entries(directory: Directory) -> dict[int, tuple[int, int, bytes]]:
    """The entries that decide about pixels."""
    entries = {tag: entry for tag, entry in directory.entries.items() if tag in PIXEL_TAGS}
    if tuple(directory.integers(SAMPLES_PER_PIXEL)) in ((), (1,)):
        # One channel is stored in the same way in both configurations, but Pillow takes samples
        # that do not have 8 bits for others if it stands by itself.
        entries.pop(PLANAR_CONFIGURATION, None)
    return entries


def _layout(content: bytes) -> _Layout | None:
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None or len(content) < 8:
        return None
    (version,) = struct.unpack_from(f"{order}H", content, 2)
    if version == 43:
        # The offsets of BigTIFF have 8 bytes, and it says so.
        is_known = content[4:8] == struct.pack(f"{order}HH", 8, 0)
        return _Layout(order, f"{order}Q", f"{order}Q", f"{order}HHQ8s", 8) if is_known else None
    return _Layout(order, f"{order}I", f"{order}H", f"{order}HHI4s", 4) if version == 42 else None
