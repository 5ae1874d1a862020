"""The chunks of a PNG file, and whether they hold all of its pixels (PNG, third edition, 2025)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_LARGEST_PROFILE = 16 << 20
_STEP = 1 << 16
# Samples of a pixel by colour type.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column and row of the passes of an interlaced file, and the steps between columns and rows.
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)


def chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk; the kind is empty where the file is damaged."""
    start = len(SIGNATURE)
    while start < len(content):
        header = content[start : start + 8]
        end = start + 12 + int.from_bytes(header[:4], "big") if len(header) == 8 else 0
        if not start < end <= len(content):
            yield b"", start, len(content)
            return
        yield header[4:], start, end
        start = end


def damage_of(content: bytes) -> str | None:
    """How a chunk is damaged that decides about pixels; None if none is.

    Decoders do not look at the checksums of pixels.
    """
    view = memoryview(content)
    for kind, start, end in chunks(content):
        checksum = int.from_bytes(view[end - 4 : end], "big")
        # Kinds that a decoder cannot do without begin with a capital.
        if kind[:1].isupper() and zlib.crc32(view[start + 4 : end - 4]) != checksum:
            return "a checksum is wrong"
    return None


def is_interlaced(content: bytes) -> bool:
    """Whether the rows of a file that begins with its header are not stored from top to bottom."""
    return content[28] == 1


def has_all_rows(content: bytes, width: int, height: int) -> bool:
    """Whether as many bytes are compressed as a file that begins with its header needs.

    Raises:
        zlib.error: the compressed bytes are damaged.
    """
    bits = content[24] * _SAMPLES[content[25]]
    needed = 0
    for left, top, right, down in _ADAM7 if is_interlaced(content) else _WHOLE:
        columns, rows = (width - left + right - 1) // right, (height - top + down - 1) // down
        if columns > 0:
            needed += rows * (1 + (columns * bits + 7) // 8)
    for inflated in _inflated_pixels(content):
        needed -= inflated
        if needed <= 0:
            return True
    return False


def text(payload: bytes) -> bytes:
    """The text of an iTXt chunk: keyword, compression, language, translated keyword, text."""
    _, _, rest = payload.partition(b"\0")
    text = rest[2:].split(b"\0", 2)[-1]
    return inflate(text) or b"" if rest[:1] == b"\1" else text


def raw_profile(kind: bytes, payload: bytes) -> bytes:
    """EXIF as ImageMagick writes it: a name, a size and hexadecimal digits, each on lines."""
    text = payload.partition(b"\0")[2]
    if kind == b"zTXt":
        text = inflate(text[1:]) or b""
    try:
        return bytes.fromhex("".join(text.decode("ascii").split("\n")[3:]))
    except ValueError:
        return b""


def inflate(content: bytes) -> bytes | None:
    """Decompress, up to a size that is more than any honest profile's; None if damaged."""
    try:
        return zlib.decompressobj().decompress(content, _LARGEST_PROFILE)
    except zlib.error:
        return None


def _inflated_pixels(content: bytes) -> Iterator[int]:
    """Numbers of bytes that the pixels give step by step, each small."""
    stream = zlib.decompressobj()
    for kind, start, end in chunks(content):
        # The last chunk of a file that is cut has no checksum.
        is_pixels = kind == b"IDAT" or (not kind and content[start + 4 : start + 8] == b"IDAT")
        rest = content[start + 8 : end - 4 if kind else end] if is_pixels else b""
        while rest:
            yield len(stream.decompress(rest, _STEP))
            rest = stream.unconsumed_tail
