"""Photos of every kind: metadata, colour profiles, sample types."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from tests.truth.case import Array, Case, Reader
from tests.truth.writers import (
    PROFILES,
    RGB,
    Entry,
    chunk,
    encoded,
    exif,
    grey_profile,
    oriented,
    png,
    profile,
    srgb_to_linear,
    tiff,
    to_profile,
    with_segment,
    with_webp_chunk,
    xmp,
)

HEIGHT, WIDTH = 40, 56
BLACK = "nearly black"
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 98, "subsampling": "4:4:4"},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
}


def _photo() -> Array:
    """A smooth photo with bright and dark parts, no symmetry, and few saturated colours."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    channels = (60 + 3 * rows, 200 - 2 * columns, 80 + rows + columns)
    photo = np.stack(channels, axis=2).clip(0, 255).astype(np.uint8)
    photo[:8, :8] = 250
    return photo


PHOTO = _photo()
GREY = PHOTO[..., 0]
IMAGE = Image.fromarray(PHOTO)
JPEG = encoded(IMAGE, "JPEG", quality=98, subsampling="4:4:4")
WEBP = encoded(IMAGE, "WEBP", lossless=True)
# All types of TIFF 6.0, and two that do not exist.
TYPES = range(14)
# Tags that decoders look at: compression, software, resolutions, date, artist, private directories,
# thumbnails, colour space, maker's notes, sizes.
TAGS = (
    *(259, 270, 271, 282, 283, 296, 305, 306, 315, 330, 513, 529, 34665, 34853, 36864, 37500),
    *(37510, 40960, 40961, 40965, 42036, 45056, 45057, 50341, 256, 257, 700, 33723, 34377),
)
VALUES = (bytes(4), b"\1\0\0\0", b"\xff\xff\xff\xff", b"\x08\0\0\0")
COUNTS = (0, 1, 2, 5000, 0xFFFFFFFF)


@dataclass(frozen=True)
class _File:
    """Reads a file as photo."""

    content: bytes
    suffix: str

    def __call__(self, reader: Reader, folder: Path) -> Array:
        path = folder / f"photo.{self.suffix}"
        path.write_bytes(self.content)
        return reader.photo(path)


def turned(photo: Array, orientation: int) -> Array:
    """A photo as displayed, by Pillow, from an orientation that is well written."""
    content = encoded(Image.fromarray(photo), "PNG", exif=exif([oriented(orientation)]))
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    return np.asarray(image)


def with_exif(content: bytes) -> bytes:
    """The JPEG file with EXIF."""
    return with_segment(JPEG, 0xE1, b"Exif\0\0" + content)


def _orientations() -> Iterator[Case]:
    entries: list[Entry]
    for orientation in range(1, 9):
        truth = turned(PHOTO, orientation)
        for order in "<>":
            written = exif([oriented(orientation, order)], order)
            files = {
                "jpg": (with_exif(written), 6),
                "png": (png(PHOTO, 8, RGB, extra=chunk(b"eXIf", written)), 0),
                "webp": (with_webp_chunk(WEBP, b"EXIF", 8, written, IMAGE.size), 0),
            }
            for suffix, (content, tolerance) in files.items():
                name = f"exif {orientation} {order} in {suffix}"
                yield Case(name, _File(content, suffix), truth, tolerance=tolerance)
            entries = [oriented(orientation, order)]
            grey = np.stack([turned(GREY, orientation)] * 3, axis=2)
            content = tiff(GREY, 8, entries=entries, order=order)
            yield Case(f"exif {orientation} {order} in tif", _File(content, "tif"), grey)
        compressed = encoded(IMAGE, "TIFF", compression="tiff_lzw", tiffinfo={274: orientation})
        yield Case(f"exif {orientation} in tif of lzw", _File(compressed, "tif"), truth)
        said = xmp(orientation)
        text = b"XML:com.adobe.xmp\0\0\0\0\0" + said
        files = {
            "jpg": (with_segment(JPEG, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + said), 6),
            "png": (png(PHOTO, 8, RGB, extra=chunk(b"iTXt", text)), 0),
            "webp": (with_webp_chunk(WEBP, b"XMP ", 4, said, IMAGE.size), 0),
            "tif": (encoded(IMAGE, "TIFF", tiffinfo={700: said}), 0),
        }
        for suffix, (content, tolerance) in files.items():
            name = f"xmp {orientation} in {suffix}"
            yield Case(name, _File(content, suffix), truth, tolerance=tolerance)
    both = with_segment(
        with_exif(exif([oriented(6)])), 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(3)
    )
    yield Case("exif before xmp", _File(both, "jpg"), turned(PHOTO, 6), tolerance=6)
    for value in (0, 9, 255, 65535):
        content = with_exif(exif([oriented(value)]))
        yield Case(f"exif {value}", _File(content, "jpg"), PHOTO, tolerance=6)
    two = exif([(274, 3, 2, struct.pack("<HH", 6, 6))])
    yield Case("two orientations", _File(with_exif(two), "jpg"), PHOTO, tolerance=6)


def _mistyped() -> Iterator[Case]:
    """Tags of every type beside an orientation that is well written."""
    right = turned(PHOTO, 6)
    number = 0
    for tag in TAGS:
        for kind in TYPES:
            count = COUNTS[number % len(COUNTS)]
            value = VALUES[number % len(VALUES)]
            number += 1
            entries = [oriented(6), (tag, kind, count, value)]
            content = with_exif(exif(entries))
            name = f"tag {tag} of type {kind}, {count} values"
            yield Case(f"{name} in jpg", _File(content, "jpg"), right, tolerance=6)
            content = png(PHOTO, 8, RGB, extra=chunk(b"eXIf", exif(entries)))
            yield Case(f"{name} in png", _File(content, "png"), right)
            if tag not in (256, 257, 259, 513, 529, 330):
                truth = np.stack([turned(GREY, 6)] * 3, axis=2)
                yield Case(f"{name} in tif", _File(tiff(GREY, 8, entries=entries), "tif"), truth)
    loop = exif([oriented(6)])[:-4] + struct.pack("<I", 8)
    for name, content in {
        "a loop": loop,
        "no directory": b"II*\0\xff\xff\xff\x7f",
        "another order": b"MM*\0\0\0\0\x08",
        "half of a header": b"II*",
        "nothing": b"",
        "many entries": b"II*\0\x08\0\0\0\xff\xff",
    }.items():
        truth = right if name == "a loop" else PHOTO
        yield Case(f"exif of {name}", _File(with_exif(content), "jpg"), truth, tolerance=6)
    for marker in (0xE2, 0xED, 0xEE, 0xE1, 0xFE):
        for payload in (b"MPF\0II*\0\xff\xff\xff\xff", b"Photoshop 3.0\0" + b"8BIM" * 9, b""):
            if marker != 0xEE:
                content = with_segment(JPEG, marker, payload)
                name = f"segment {marker:x} of {payload[:4]!r}"
                yield Case(name, _File(content, "jpg"), PHOTO, tolerance=6)
    for chunk_kind in (
        b"tEXt",
        b"zTXt",
        b"iTXt",
        b"iCCP",
        b"pHYs",
        b"gAMA",
        b"cHRM",
        b"eXIf",
        b"tIME",
    ):
        for payload in (b"", b"\0", b"x", b"a\0\0\xff\xff\xff\xff", b"XML:com.adobe.xmp\0\1\0"):
            content = png(PHOTO, 8, RGB, extra=chunk(chunk_kind, payload))
            yield Case(f"chunk {chunk_kind!r} of {payload!r}", _File(content, "png"), PHOTO)


def _colours() -> Iterator[Case]:
    for name in PROFILES:
        samples = to_profile(PHOTO, name)
        # ProPhoto has coarser steps in the dark.
        for format, options in FORMATS.items():
            content = encoded(
                Image.fromarray(samples), format, icc_profile=profile(name), **options
            )
            tolerance = 12 if format == "JPEG" else 4
            yield Case(f"{name} in {format}", _File(content, format), PHOTO, tolerance=tolerance)
    linear = np.rint(srgb_to_linear(GREY) * 255).astype(np.uint8)
    content = encoded(Image.fromarray(linear), "PNG", icc_profile=grey_profile(1.0))
    yield Case("linear greys", _File(content, "png"), np.stack([GREY] * 3, axis=2), tolerance=9)
    whole = profile("Adobe RGB")
    for name, unusable in {
        "noise": bytes(range(256)),
        "half": whole[: len(whole) // 2],
        "greys": grey_profile(2.2),
        "header": whole[:128],
        "no curves": whole.replace(b"curv", b"xxxx"),
        "no red": whole.replace(b"rXYZ", b"qXYZ"),
    }.items():
        for format in ("PNG", "JPEG", "TIFF"):
            content = encoded(IMAGE, format, icc_profile=unusable, **FORMATS[format])
            name_of_case = f"profile of {name} in {format}"
            yield Case(name_of_case, _File(content, format), PHOTO, tolerance=6)
    cmyk = encoded(IMAGE.convert("CMYK"), "JPEG", quality=98)
    yield Case("cmyk", _File(cmyk, "jpg"), PHOTO, tolerance=20)
    yield Case("cmyk tif", _File(encoded(IMAGE.convert("CMYK"), "TIFF"), "tif"), PHOTO, tolerance=3)
    yield Case("lab", _File(encoded(_lab(), "TIFF"), "tif"), PHOTO, tolerance=20)


def _lab() -> Image.Image:
    converted = ImageCms.profileToProfile(
        IMAGE, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert converted is not None
    return converted


def _types() -> Iterator[Case]:
    greys = np.stack([GREY] * 3, axis=2)
    wide = GREY.astype(np.uint16) * 257
    yield Case("16 bits in png", _File(png(wide, 16), "png"), greys)
    yield Case("16 bits in tif", _File(tiff(wide, 16), "tif"), greys)
    yield Case("16 bits in tif >", _File(tiff(wide, 16, order=">"), "tif"), greys)
    yield Case(
        "16 bits of colour", _File(png(PHOTO.astype(np.uint16) * 257, 16, RGB), "png"), PHOTO
    )
    for bits in (10, 12, 14):
        narrow = (wide >> (16 - bits)).astype(np.uint16)
        name = f"{bits} of 16 bits"
        yield Case(f"{name} in png", _File(png(narrow, 16), "png"), greys, BLACK)
        yield Case(f"{name} in tif", _File(tiff(narrow, 16), "tif"), greys, BLACK)
        colour = PHOTO.astype(np.uint16) * 257 >> (16 - bits)
        yield Case(f"{name} of colour", _File(png(colour, 16, RGB), "png"), PHOTO, BLACK)
        header = f"P5 {WIDTH} {HEIGHT} {(1 << bits) - 1}\n".encode()
        content = header + narrow.astype(">u2").tobytes()
        yield Case(f"{name} in pgm", _File(content, "pgm"), greys, tolerance=1)
        header = f"P6 {WIDTH} {HEIGHT} {(1 << bits) - 1}\n".encode()
        content = header + colour.astype(">u2").tobytes()
        yield Case(f"{name} in ppm", _File(content, "ppm"), PHOTO, tolerance=1)
        header = f"P5 {WIDTH} {HEIGHT} 65535\n".encode()
        content = header + narrow.astype(">u2").tobytes()
        yield Case(f"{name} in pgm of 16", _File(content, "pgm"), greys, BLACK)
    for maximum in (100, 254, 255):
        header = f"P6 {WIDTH} {HEIGHT} {maximum}\n".encode()
        content = header + np.rint(PHOTO / 255 * maximum).astype(np.uint8).tobytes()
        tolerance = 12 if maximum == 100 else 1
        yield Case(f"ppm of maximum {maximum}", _File(content, "ppm"), PHOTO, tolerance=tolerance)
    floats = {"[0, 1]": (1 / 255, None), "[0, 255]": (1, "floating-point values go from")}
    floats["[0, 65535]"] = (257, "floating-point values go from")
    floats["[-1, 1]"] = (-1 / 255, "floating-point values go from")
    floats["[0, 1/64]"] = (1 / 64 / 255, BLACK)
    floats["with nan"] = (np.nan, "floating-point values go from")
    for name, (scale, reason) in floats.items():
        content = encoded(
            Image.fromarray((GREY.astype(np.float64) * scale).astype(np.float32)), "TIFF"
        )
        yield Case(f"floats in {name}", _File(content, "tif"), greys, reason)
    integers = encoded(Image.fromarray(wide.astype(np.int32)), "TIFF")
    yield Case("32 bits", _File(integers, "tif"), greys, "white is not agreed on")
    inverted = tiff(255 - GREY, 8, photometric=0)
    yield Case("0 is white", _File(inverted, "tif"), greys)
    inverted = tiff(65535 - wide, 16, photometric=0)
    yield Case("0 is white of 16 bits", _File(inverted, "tif"), greys, "0 is white")
    for mode in ("L", "LA", "RGBA", "P"):
        alpha = IMAGE.convert(mode) if mode != "LA" else Image.fromarray(GREY).convert("LA")
        truth = np.asarray(alpha.convert("RGB"))
        yield Case(f"mode {mode}", _File(encoded(alpha, "PNG"), "png"), truth)
    see_through = IMAGE.copy()
    see_through.putalpha(Image.fromarray(GREY))
    for format in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if format == "WEBP" else {}
        content = encoded(see_through, format, **options)
        yield Case(f"alpha in {format}", _File(content, format), PHOTO)


def photo_cases() -> Iterator[Case]:
    """All cases of photos."""
    for case in (*_orientations(), *_mistyped(), *_colours(), *_types()):
        name = f"photos: {case.name}"
        yield Case(name, case.read, case.truth, case.refusal, case.tolerance)
