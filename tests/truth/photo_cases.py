"""Photos of every kind: metadata, colour profiles, sample types."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
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
    cmyk_profile,
    colour_tiff,
    encoded,
    exif,
    exif_colours,
    grey_profile,
    lab_to_srgb,
    linear_to_srgb,
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
# Linear light of sRGB in the primaries of Display P3 (rows of both matrices: CIE XYZ under D65).
SRGB_TO_P3 = np.array(
    ((0.4124, 0.2126, 0.0193), (0.3576, 0.7152, 0.1192), (0.1805, 0.0722, 0.9505))
) @ np.linalg.inv(
    np.array(((0.4866, 0.2290, 0.0000), (0.2657, 0.6917, 0.0451), (0.1982, 0.0793, 1.0439)))
)
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
    yield from _inks()
    yield from _declared()
    cmyk = encoded(IMAGE.convert("CMYK"), "JPEG", quality=98)
    yield Case("cmyk", _File(cmyk, "jpg"), PHOTO, tolerance=20)
    yield Case("cmyk tif", _File(encoded(IMAGE.convert("CMYK"), "TIFF"), "tif"), PHOTO, tolerance=3)
    yield Case("lab", _File(encoded(_lab(), "TIFF"), "tif"), PHOTO, tolerance=20)


def _inks() -> Iterator[Case]:
    """CMYK with a profile of inks that are duller than those of subtraction."""
    # What each ink changes in CIE Lab. A sum of them is the same however a table is interpolated.
    inks = np.array([(-18.0, -14, -20), (-20, 32, -6), (-5, -4, 40), (-45, 0, 0)])
    inks = np.rint(inks * (2.55, 1, 1)) / (2.55, 1, 1)
    white = np.array((100.0, 0, 0))
    corners = np.array([white + np.array(ink) @ inks for ink in np.ndindex(2, 2, 2, 2)])
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    amounts = (3 * rows, 3 * columns, rows + columns, rows * 2 + columns)
    samples = np.stack(amounts, 2).astype(np.uint8)
    truth = lab_to_srgb(white + samples / 255 @ inks)
    image = Image.fromarray(samples, "CMYK")
    for format, options in {"TIFF": {}, "JPEG": {"quality": 98}}.items():
        content = encoded(
            image, format, icc_profile=cmyk_profile(corners.reshape(2, 2, 2, 2, 3)), **options
        )
        yield Case(f"inks in {format}", _File(content, format), truth, tolerance=12)
    unusable = encoded(image, "TIFF", icc_profile=profile("Adobe RGB"))
    subtracted = np.asarray(image.convert("RGB"))
    yield Case("inks with a profile of RGB", _File(unusable, "tif"), subtracted)


def _declared() -> Iterator[Case]:
    """Colours that files declare without a profile."""
    adobe = to_profile(PHOTO, "Adobe RGB")
    jpeg = encoded(Image.fromarray(adobe), "JPEG", quality=98, subsampling="4:4:4")
    for order in "<>":
        written = exif_colours(0xFFFF, b"R03\0", order)
        files = {
            "jpg": (with_segment(jpeg, 0xE1, b"Exif\0\0" + written), 12),
            "png": (png(adobe, 8, RGB, extra=chunk(b"eXIf", written)), 3),
            "webp": (
                with_webp_chunk(
                    encoded(Image.fromarray(adobe), "WEBP", lossless=True),
                    b"EXIF", 8, written, IMAGE.size,
                ),
                3,
            ),
        }  # fmt: skip
        for suffix, (content, tolerance) in files.items():
            name = f"Adobe RGB by EXIF {order} in {suffix}"
            yield Case(name, _File(content, suffix), PHOTO, tolerance=tolerance)
    for place in (0, 1, 8, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF):
        for kind in (4, 9, 3, 16):
            pointer = (34665, kind, 1, struct.pack("<I", place))
            lost = exif([oriented(6), pointer])
            content = png(PHOTO, 8, RGB, extra=chunk(b"eXIf", lost))
            name = f"EXIF that points to {place:x} by type {kind}"
            yield Case(name, _File(content, "png"), turned(PHOTO, 6))
    for space, index in ((1, b"R98\0"), (1, b"R03\0"), (0xFFFF, None), (0xFFFF, b"R98\0")):
        written = exif_colours(space, index, orientation=6)
        content = png(PHOTO, 8, RGB, extra=chunk(b"eXIf", written))
        yield Case(
            f"EXIF of colour space {space}, {index!r}", _File(content, "png"), turned(PHOTO, 6)
        )
    both = encoded(
        Image.fromarray(to_profile(PHOTO, "Display P3")), "JPEG", quality=98,
        subsampling="4:4:4", icc_profile=profile("Display P3"),
    )  # fmt: skip
    both = with_segment(both, 0xE1, b"Exif\0\0" + exif_colours(0xFFFF, b"R03\0"))
    yield Case("a profile before EXIF", _File(both, "jpg"), PHOTO, tolerance=12)
    yield from _png_colours()


def _png_colours() -> Iterator[Case]:
    light = srgb_to_linear(PHOTO)
    srgb_points = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
    adobe_points = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)

    def gama(stored: int) -> bytes:
        return chunk(b"gAMA", struct.pack(">I", stored))

    def chrm(points: Sequence[float]) -> bytes:
        return chunk(b"cHRM", struct.pack(">8I", *(round(p * 100_000) for p in points)))

    def cicp(*numbers: int) -> bytes:
        return chunk(b"cICP", bytes(numbers))

    def power(exponent: float) -> Array:
        return np.rint(light ** (1 / exponent) * 255).astype(np.uint8)

    p3 = light @ SRGB_TO_P3
    adobe = to_profile(PHOTO, "Adobe RGB")
    samples = {
        "gAMA of sRGB": (PHOTO, gama(45455), 0),
        "gAMA and cHRM of sRGB": (PHOTO, gama(45455) + chrm(srgb_points), 0),
        "sRGB before gAMA": (PHOTO, chunk(b"sRGB", b"\0") + gama(100_000), 0),
        "gAMA 1.8": (power(1.8), gama(55556), 3),
        "gAMA 1": (power(1.0), gama(100_000), 9),
        "cHRM of Adobe RGB": (adobe, gama(45470) + chrm(adobe_points), 4),
        "gAMA 0": (PHOTO, gama(0), 0),
        "gAMA of no photo": (PHOTO, gama(1), 0),
        "cHRM of zeros": (PHOTO, chrm([0] * 8), 0),
        "cHRM on a line": (PHOTO, chrm([0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3]), 0),
        "cICP of sRGB": (PHOTO, cicp(1, 13, 0, 1), 0),
        "cICP of Display P3": (linear_to_srgb(p3), cicp(12, 13, 0, 1), 3),
        "cICP of linear light": (power(1.0), cicp(1, 8, 0, 1), 9),
        "cICP before gAMA": (PHOTO, cicp(1, 13, 0, 1) + gama(100_000), 0),
        "cICP that says nothing": (PHOTO, cicp(2, 2, 0, 1), 0),
        "cICP that is damaged": (PHOTO, cicp(1, 13), 0),
    }
    for name, (stored, chunks, tolerance) in samples.items():
        content = png(stored, 8, RGB, extra=chunks)
        yield Case(name, _File(content, "png"), PHOTO, tolerance=tolerance)
    greys = np.stack([GREY] * 3, axis=2)
    content = png(power(1.8)[..., 0], 8, extra=gama(55556))
    yield Case("gAMA 1.8 of greys", _File(content, "png"), greys, tolerance=3)
    for name, numbers in {
        "PQ": (9, 16, 0, 1),
        "HLG": (9, 18, 0, 1),
        "narrow range": (1, 13, 0, 0),
        "other primaries": (22, 13, 0, 1),
    }.items():
        content = png(PHOTO, 8, RGB, extra=cicp(*numbers))
        yield Case(f"cICP of {name}", _File(content, "png"), PHOTO, "high dynamic range or video")


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


def _tiffs() -> Iterator[Case]:
    """Layouts of TIFF that cameras, scanners and editors write."""
    wide = PHOTO.astype(np.uint16) * 257
    greys = np.stack([GREY] * 3, axis=2)
    for order in "<>":
        for planar in (False, True):
            for predictor in (False, True):
                for tiles in (False, True):
                    layout = f"{order}{' planar' * planar}{' predictor' * predictor}"
                    layout += " tiles" * tiles
                    for bits, samples in ((8, PHOTO), (16, wide)):
                        content = colour_tiff(samples, order, planar, predictor, tiles)
                        name = f"tif of {bits} bits {layout}"
                        yield Case(name, _File(content, "tif"), PHOTO)
                        content = colour_tiff(samples[..., :1], order, False, predictor, tiles)
                        if not planar:
                            yield Case(f"grey {name}", _File(content, "tif"), greys)
    alpha = np.concatenate([PHOTO, 255 - GREY[..., None]], axis=2)
    for extra in (0, 2):
        for samples, bits in ((alpha, 8), (alpha.astype(np.uint16) * 257, 16)):
            content = colour_tiff(samples, extra=extra)
            name = f"tif of {bits} bits with a fourth channel of kind {extra}"
            yield Case(name, _File(content, "tif"), PHOTO)
    floats = (PHOTO / 255).astype(np.float32)
    content = colour_tiff(floats)
    yield Case("tif of three floats", _File(content, "tif"), PHOTO, "of a kind that is not read")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "raw"):
        content = encoded(IMAGE, "TIFF", compression=compression)
        tolerance = 60 if compression == "jpeg" else 0
        yield Case(f"tif of {compression}", _File(content, "tif"), PHOTO, tolerance=tolerance)


def photo_cases() -> Iterator[Case]:
    """All cases of photos."""
    for case in (*_orientations(), *_mistyped(), *_colours(), *_types(), *_tiffs()):
        name = f"photos: {case.name}"
        yield Case(name, case.read, case.truth, case.refusal, case.tolerance)
