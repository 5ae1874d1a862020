"""Label maps in the encodings that the world has them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.truth.case import Array, Case, Reader
from tests.truth.writers import PALETTE, RGB, encoded, png, tiff

SPACE = "coco-stuff"


def _map(*values: int) -> Array:
    """Patches of these values, all in use, uint8 [24,32]."""
    chosen = np.random.default_rng(len(values)).choice(values, (6, 8))
    chosen.reshape(-1)[: len(values)] = values
    return chosen.astype(np.uint8).repeat(4, 0).repeat(4, 1)


LABELS = _map(0, 3, 17, 95, 123, 156, 181, 255)
SMALL = _map(0, 1, 2, 3)
BINARY = _map(0, 255)
COLOURS = [((37 * i) % 256, (91 * i + 5) % 256, (13 * i) % 256) for i in range(256)]
COLOURED = Image.fromarray(LABELS).convert("P")
COLOURED.putpalette([level for colour in COLOURS for level in colour])
GREY = Image.fromarray(LABELS)
# Label values of which each is a colour of ``COLOURED``.
MOVED = (3, 17, 95, 123)
TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")


@dataclass(frozen=True)
class _File:
    """Reads a file that stands alone, or among its neighbours, as label map."""

    content: bytes
    suffix: str
    neighbours: Mapping[str, bytes] | None = None
    scaling: str | None = None
    label_space: str = SPACE

    def __call__(self, reader: Reader, folder: Path) -> Array:
        path = folder / f"map.{self.suffix}"
        path.write_bytes(self.content)
        for name, content in (self.neighbours or {}).items():
            (folder / name).write_bytes(content)
        neighbours = None if self.neighbours is None else folder
        return reader.label_map(path, self.label_space, neighbours, self.scaling)


@dataclass(frozen=True)
class _Beyond:
    """Reads a file of a set whose conventions were found in other files."""

    content: bytes
    sample: Mapping[str, bytes]

    def __call__(self, reader: Reader, folder: Path) -> Array:
        (folder / "sample").mkdir()
        for name, content in self.sample.items():
            (folder / "sample" / name).write_bytes(content)
        (folder / "map.png").write_bytes(self.content)
        return reader.label_map(folder / "map.png", SPACE, folder / "sample", None)


def _numbered(labels: Array) -> tuple[Array, list[int]]:
    """Indices into the values in use, as programs number the colours of a palette."""
    values, indices = np.unique(labels, return_inverse=True)
    return indices.reshape(labels.shape), values.tolist()


def _grey_palette(labels: Array, bits: int) -> bytes:
    indices, values = _numbered(labels)
    return png(indices, bits, PALETTE, [(value,) * 3 for value in values])


def _colour_palette(labels: Array, bits: int) -> bytes:
    indices, values = _numbered(labels)
    return png(indices, bits, PALETTE, [COLOURS[value] for value in values])


def _pgm(labels: Array, maximum: int, plain: bool = False, comment: str = "") -> bytes:
    height, width = labels.shape
    header = f"P{2 if plain else 5}\n{comment}{width} {height}\n{maximum}\n".encode()
    if plain:
        return header + b"\n".join(b" ".join(b"%d" % v for v in row) for row in labels.tolist())
    return header + labels.astype(">u2" if maximum > 255 else np.uint8).tobytes()


def _bmp_palette(labels: Array, bits: int, greys: list[int]) -> bytes:
    """A BMP file whose palette has these greys, by index."""
    height, width = labels.shape
    places = np.arange(8 - bits, -1, -bits)
    packed = (labels.reshape(height, -1, 8 // bits) << places).sum(axis=2).astype(np.uint8)
    rows = b"".join(
        row.tobytes().ljust(-(-packed.shape[1] // 4) * 4, b"\0") for row in packed[::-1]
    )
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in greys)
    start = 54 + len(palette)
    integers = (40, width, height, 1 | bits << 16, 0, len(rows), 2835, 2835, len(greys), 0)
    header = b"BM" + (start + len(rows)).to_bytes(4, "little") + bytes(4)
    header += start.to_bytes(4, "little") + b"".join(i.to_bytes(4, "little") for i in integers)
    return header + palette + rows


def _one_meaning() -> Iterator[tuple[str, bytes, str, Array]]:
    """Encodings that have one meaning: name, content, suffix and truth."""
    yield "png of 8 bits", png(LABELS, 8), "png", LABELS
    yield "png of 16 bits", png(LABELS, 16), "png", LABELS
    yield "png with a colour palette", encoded(COLOURED, "PNG"), "png", LABELS
    yield "png with the palette of greys", encoded(GREY.convert("P"), "PNG"), "png", LABELS
    for bits in (4, 8):
        yield f"png optimized to {bits} bits of greys", _grey_palette(LABELS, bits), "png", LABELS
    for bits in (2, 4, 8):
        palette = [(i, i, i) for i in range(4)]
        content = png(SMALL, bits, PALETTE, palette)
        yield f"png with a palette of {bits} bits", content, "png", SMALL
        content = png(SMALL, bits, PALETTE, COLOURS[:4])
        yield f"png with colours in {bits} bits", content, "png", SMALL
    zero = np.zeros_like(LABELS)
    for bits in (1, 2, 4):
        yield f"png of {bits} bits without a label", png(zero, bits), "png", zero
    for compression in TIFF_COMPRESSIONS:
        for kind, image in (("greys", GREY), ("colours", COLOURED)):
            content = encoded(image, "TIFF", compression=compression)
            yield f"tiff of {kind}, {compression}", content, "tif", LABELS
    for dtype in (np.uint16, np.int32):
        content = encoded(Image.fromarray(LABELS.astype(dtype)), "TIFF")
        yield f"tiff of {dtype.__name__}", content, "tif", LABELS
    for order in "<>":
        for bits in (8, 16):
            content = tiff(LABELS, bits, order=order)
            yield f"tiff of {bits} bits, order {order}", content, "tif", LABELS
    yield "bmp of greys", encoded(GREY, "BMP"), "bmp", LABELS
    yield "bmp of colours", encoded(COLOURED, "BMP"), "bmp", LABELS
    indices, values = _numbered(LABELS)
    for bits in (4, 8):
        content = _bmp_palette(indices, bits, values)
        yield f"bmp of greys numbered in {bits} bits", content, "bmp", LABELS
    yield "gif of greys", encoded(GREY, "GIF"), "gif", LABELS
    yield "gif of greys as they are", encoded(GREY, "GIF", optimize=False), "gif", LABELS
    yield "gif of all colours", encoded(COLOURED, "GIF", optimize=False), "gif", LABELS
    low = LABELS % 155
    for maximum in (155, 200, 254, 255, 256, 1000, 4095, 65535):
        for plain in (False, True):
            kind = "plain pgm" if plain else "pgm"
            yield f"{kind} of maximum {maximum}", _pgm(low, maximum, plain), "pgm", low
    yield "pgm with a comment", _pgm(low, 200, comment="# 1 2 3\n#\n"), "pgm", low


LOSSY = "lossy compression"
ONE_CHANNEL = "one channel of integers"
SEVERAL = "holds several images"
TWO_READINGS = r"stores \d bits a pixel.*--label-scaling raw takes the numbers"


def _without_meaning() -> Iterator[tuple[str, bytes, str, str]]:
    """Encodings that are refused: name, content, suffix and reason."""
    for quality in (50, 95, 100):
        content = encoded(GREY, "JPEG", quality=quality)
        yield f"jpeg of quality {quality}", content, "jpg", LOSSY
        yield f"jpeg of quality {quality} named png", content, "png", LOSSY
    yield "jpeg of colours", encoded(GREY.convert("RGB"), "JPEG"), "jpg", ONE_CHANNEL
    yield "webp", encoded(GREY, "WEBP", quality=95), "webp", f"{LOSSY}|{ONE_CHANNEL}"
    yield "lossless webp", encoded(GREY, "WEBP", lossless=True), "webp", ONE_CHANNEL
    yield "tiff with jpeg", encoded(GREY, "TIFF", compression="jpeg"), "tif", LOSSY
    yield "rgb", png(np.stack([LABELS] * 3, axis=2), 8, RGB), "png", ONE_CHANNEL
    yield "grey and alpha", encoded(GREY.convert("LA"), "PNG"), "png", ONE_CHANNEL
    floats = encoded(Image.fromarray(LABELS.astype(np.float32)), "TIFF")
    yield "floats", floats, "tif", ONE_CHANNEL
    for bits in (1, 2, 4, 8, 16):
        content = tiff(SMALL % 2, bits, photometric=0)
        yield f"tiff in which 0 is white, {bits} bits", content, "tif", "WhiteIsZero"
    bitmap = encoded(Image.fromarray(BINARY > 0), "PPM")
    yield "pbm", bitmap, "pbm", "bitmap"
    yield "plain pbm", b"P1\n4 2\n0 1 0 1\n1 1 0 0\n", "pgm", "bitmap"
    more = {"save_all": True, "append_images": [Image.fromarray(255 - LABELS)]}
    for format in ("GIF", "TIFF", "PNG"):
        yield f"two images in a {format}", encoded(GREY, format, **more), format.lower(), SEVERAL
    yield "gif that numbers its colours", encoded(COLOURED, "GIF"), "gif", "numbered by the program"
    black = [(0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)]
    yield "palette of one grey", png(SMALL, 8, PALETTE, black), "png", "same grey"
    # A program that takes the 16-bit colours of TIFF for 8-bit ones.
    dark = (320, 3, 768, (8 + LABELS.size).to_bytes(4, "little"))
    colours = np.array(COLOURS, "<u2").T.tobytes()
    content = tiff(LABELS, 8, 3, [dark], tail=colours)
    yield "tiff with a dark palette", content, "tif", "same grey"
    content = tiff(np.full_like(LABELS, 7), 8, 3, [dark], tail=colours)
    yield "tiff of one class with a dark palette", content, "tif", "same grey"
    yield "bmp of 4 bits of greys", _bmp_palette(SMALL, 4, list(range(16))), "bmp", "BMP"
    yield "bmp of 8 bits, black and white", _bmp_palette(SMALL % 2, 8, [0, 255]), "bmp", "BMP"


def _low_depths() -> Iterator[Case]:
    """Few bits, whose numbers may be label values or scaled to them."""
    for bits, step in ((1, 255), (2, 85), (4, 17)):
        raw = _map(*range(min(1 << bits, 11)))
        raw = raw if bits < 4 else _map(0, 1, 2, 3)
        full = raw * np.uint8(step)
        contents = {"png": png(raw, bits), "tif": tiff(raw, bits)}
        if bits == 1:
            contents["bmp"] = encoded(Image.fromarray(raw > 0), "BMP")
        for suffix, content in contents.items():
            name = f"{suffix} of {bits} bits"
            yield Case(f"{name}, alone", _File(content, suffix), None, TWO_READINGS)
            for scaling, truth in (("raw", raw), ("full", full)):
                said = _File(content, suffix, scaling=scaling)
                yield Case(f"{name}, said to be {scaling}", said, truth)
                others = {"other.png": png(truth, 8)}
                yield Case(f"{name}, others {scaling}", _File(content, suffix, others), truth)
            both = {"other.png": png(raw, 8), "another.png": png(full, 8)}
            yield Case(f"{name}, others both", _File(content, suffix, both), None, TWO_READINGS)
            neither = {"other.png": png(np.full_like(raw, 7), 8)}
            refused = _File(content, suffix, neither)
            yield Case(f"{name}, others neither", refused, None, TWO_READINGS)
    # 255 is no class of ADE20K, but 0 and 255 may be what the set holds all the same.
    binary = png(_map(0, 1), 1)
    for name, values, reason in (
        ("of the numbers", (0, 1), None),
        ("of other numbers", (0, 5), None),
        ("of the scaled numbers", (0, 255), TWO_READINGS),
    ):
        file = _File(binary, "png", {"other.png": png(_map(*values), 8)}, label_space="ade20k")
        yield Case(f"1 bit in ade20k, among others {name}", file, _map(0, 1), reason)
    # Greys of 187 and more, but for 255, are no classes of COCO-Stuff.
    high = _map(0, 3, 12)
    yield Case("png of 4 bits that the label space decides", _File(png(high, 4), "png"), high)


def _palettes() -> Iterator[Case]:
    """Palettes that have other meanings in other files."""
    indices, _ = _numbered(LABELS)
    others = {"other.png": encoded(COLOURED, "PNG")}
    numbered = _colour_palette(LABELS, 8)
    reason = "palette differs from those of other label maps"
    yield Case("colours numbered anew", _File(numbered, "png", others), None, reason)
    several = {"other.png": _colour_palette(SMALL + np.uint8(4), 8)}
    yield Case("colours numbered differently", _File(numbered, "png", several), None, reason)
    plain = {f"{i}.png": png(LABELS, 8) for i in range(8)}
    alien = "none of 8 other label maps"
    # Spread evenly over a large set, the sample does not hold this file.
    yield Case("colours beyond the sample", _Beyond(numbered, plain), None, alien)
    known = {"other.png": encoded(COLOURED, "PNG")}
    swapped = png(
        SMALL + np.uint8(100), 8, PALETTE, [COLOURS[0]] * 100 + [COLOURS[v] for v in MOVED]
    )
    yield Case("known colours under new indices", _Beyond(swapped, known), None, reason)
    said = _File(numbered, "png", others, scaling="raw")
    yield Case("colours numbered anew, said to be raw", said, indices)
    same = _File(encoded(COLOURED, "PNG"), "png", others)
    yield Case("colours as in other files", same, LABELS)
    gif = _File(encoded(COLOURED, "GIF"), "gif", scaling="raw")
    yield Case("gif, said to be raw", gif, indices)
    greys = _grey_palette(_map(0, 123, 156, 255), 2)
    ade20k = _File(greys, "png", label_space="ade20k")
    yield Case("greys that are no classes", ade20k, None, "not all label values")
    raw = _File(greys, "png", scaling="raw")
    yield Case("greys, said to be raw", raw, _numbered(_map(0, 123, 156, 255))[0])


def label_cases() -> Iterator[Case]:
    """All cases of label maps."""
    for name, content, suffix, truth in _one_meaning():
        yield Case(f"labels: {name}", _File(content, suffix), truth)
    for name, content, suffix, reason in _without_meaning():
        yield Case(f"labels: {name}", _File(content, suffix), None, reason)
    for case in (*_low_depths(), *_palettes()):
        yield Case(f"labels: {case.name}", case.read, case.truth, case.refusal)
