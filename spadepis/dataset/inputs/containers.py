"""Image files without their metadata.

Decoders parse EXIF, XMP, comments and colour profiles while they open a file, and a mistyped tag
makes them fail though the pixels are sound. So metadata is taken out of the file first. What is
left decides about pixels alone; the orientation and the colour profile are kept beside it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from spadepis.dataset.inputs import png, tiff, tiff_parts

_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([1-8])\b")
_PNG_COLOURS = (b"cICP", b"sRGB", b"gAMA", b"cHRM")
# The colour space of EXIF that is not sRGB.
_UNCALIBRATED = 0xFFFF
# Primaries and transfer function of cICP that it leaves open.
_UNSPECIFIED = b"\2\2"
_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_WEBP_PIXELS = (b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF")
# Flags of VP8X: colour profile, EXIF, XMP.
_WEBP_METADATA = 0b00101100
_LOSSLESS_TIFF = frozenset((1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000))
# Progressive JPEG files have about ten. A decoder goes over the whole image in each of them, though
# it may take less than twenty bytes of the file.
MOST_JPEG_SCANS = 100
_JPEG_SCAN = b"\xff\xda"
# In the data of a scan, 0xFF stands only before zero and in restart markers.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
# A marker may stand behind any number of these.
_JPEG_FILL_BYTES = re.compile(rb"\xff+")
# Kind, width, height and largest value, between white space and comments, and the white space that
# binary samples follow. Decoders take no number of more digits.
_NETPBM = re.compile(rb"P[2356]" + rb"(?:\s|#[^\r\n]*[\r\n])+(\d{1,10})" * 3 + rb"\s")

_TWO_LINE_ENDS = (
    "its header ends in two characters, CR and LF, where the format has one, so that the second "
    "may be the first pixel: save it as PNG"
)

ExifColours = Literal["adobe-rgb", "unnamed"]


@dataclass(frozen=True)
class ImageFile:
    """An encoded image, what stands beside its pixels, and how these are stored.

    Attributes:
        format: Pillow's name of the format.
        content: the file, as far as possible without metadata.
        exif_orientation: 1 to 8; 1 if the file does not say. See ``grids.turn``.
        icc_profile: the embedded colour profile, if any.
        exif_colours: what EXIF says of the colours: nothing, that they are Adobe RGB, or that they
            are of a colour space that it does not name.
        colour_chunks: the chunks of a PNG file that say what its colours mean, by kind.
        bits: bits of a stored sample, if the header says.
        maximum: the value of a Netpbm file that stands for white; 0 for a bitmap.
        samples: stored samples of a pixel, where they may be more than the decoder gives.
        lossy: whether the compression changes values.
        pages: whether the file says that it holds several images.
        white_is_zero: whether the smallest value stands for white.
        scans: number of scans of a JPEG file; a number up to ``MOST_JPEG_SCANS`` may be too large.
        tile: width and length of the tiles of a TIFF file, which may be larger than the image.
        is_signed: whether the samples of a TIFF file are signed integers.
        narrow_palette: colours of a TIFF file with 8 bits in a table of 16; see ``tiff``.
        is_clipped: whether a PGM file has samples above its maximum, which decoders clip.
        damage: how the file is damaged, where its decoder may not notice.
        refusal: why a sound file cannot be read, where its decoder would do so wrongly.
    """

    format: str
    content: bytes
    exif_orientation: int = 1
    icc_profile: bytes | None = None
    exif_colours: ExifColours | None = None
    colour_chunks: Mapping[bytes, bytes] = field(default_factory=dict)
    bits: int | None = None
    maximum: int | None = None
    samples: int = 1
    lossy: bool = False
    pages: bool = False
    white_is_zero: bool = False
    scans: int = 1
    tile: tuple[int, int] | None = None
    is_signed: bool = False
    narrow_palette: bytes | None = None
    is_clipped: bool = False
    damage: str | None = None
    refusal: str | None = None


def split_metadata(content: bytes) -> ImageFile | None:
    """Take an image file apart; None if it has none of the formats that are read.

    A file that is damaged stays as it is from the damage on, so that decoding it fails.
    """
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content.startswith(png.SIGNATURE):
        return _png(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    if content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff(content)
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return ImageFile("GIF", content)
    if content.startswith(b"BM"):
        return ImageFile("BMP", content, bits=_bmp_bits(content))
    if re.match(rb"P[1-6][\s#]", content):
        return _netpbm(content)
    return None


def _jpeg(content: bytes) -> ImageFile:
    kept, exif, xmp = [content[:2]], b"", b""
    profile: dict[int, bytes] = {}
    position = 2
    while fill := _JPEG_FILL_BYTES.match(content, position):
        position = fill.end() - 1
        header = content[position : position + 4]
        if len(header) < 4:
            break
        marker, size = header[1], struct.unpack(">H", header[2:])[0] + 2
        segment = content[position : position + size]
        # A scan, which the end of the file follows, and segments without a size.
        if marker in (0x01, 0xDA) or 0xD0 <= marker <= 0xD9 or len(segment) < size:
            break
        position += size
        payload = segment[4:]
        if marker == 0xE1 and payload.startswith(b"Exif\0"):
            exif = exif or payload[6:]
        elif marker == 0xE1:
            xmp = xmp or payload
        elif marker == 0xE2 and payload.startswith(b"ICC_PROFILE\0") and len(payload) > 14:
            profile.setdefault(payload[12], payload[14:])
        # Of the segments of applications, JFIF and Adobe say what the colours mean.
        if not (0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)):
            kept.append(segment)
    icc_profile = b"".join(part for _, part in sorted(profile.items())) or None
    directory = tiff.read_directory(exif)
    return ImageFile(
        "JPEG",
        b"".join((*kept, content[position:])),
        _orientation(directory, xmp),
        icc_profile,
        _exif_colours(directory),
        lossy=True,
        scans=_count_scans(content, position),
    )


def _count_scans(content: bytes, position: int) -> int:
    """The scans of a JPEG file from a position on, up to the end of the image."""
    # What follows the image, such as a film, may look like scans.
    scans = content.count(_JPEG_SCAN, position)
    if scans <= MOST_JPEG_SCANS:
        return scans
    scans = 0
    while (marker := _JPEG_MARKER.search(content, position)) and marker[1] != b"\xd9":
        scans += marker[0] == _JPEG_SCAN
        size = content[marker.end() : marker.end() + 2]
        position = marker.end() + int.from_bytes(size, "big")
    return scans


def _png(content: bytes) -> ImageFile:
    kept, exif, xmp, profile = [content[:8]], b"", b"", None
    colour_chunks: dict[bytes, bytes] = {}
    pages = False
    for kind, start, end in png.chunks(content):
        payload = content[start + 8 : end - 4]
        if kind in _PNG_PIXELS:
            kept.append(content[start:end])
        elif kind in _PNG_COLOURS and not (kind == b"cICP" and payload[:2] == _UNSPECIFIED):
            colour_chunks.setdefault(kind, payload)
        elif kind == b"eXIf":
            exif = exif or payload
        elif kind == b"iCCP":
            profile = profile or png.inflate(payload.partition(b"\0")[2][1:])
        elif kind == b"iTXt" and payload.startswith(b"XML:com.adobe.xmp\0"):
            xmp = xmp or png.text(payload)
        elif kind in (b"tEXt", b"zTXt") and payload.startswith(b"Raw profile type exif\0"):
            exif = exif or png.raw_profile(kind, payload)
        elif kind == b"acTL":
            pages = True
        elif not kind:
            kept.append(content[start:])
    bits = content[24] if content[12:16] == b"IHDR" and len(content) > 24 else None
    directory = tiff.read_directory(exif.removeprefix(b"Exif\0\0"))
    return ImageFile(
        "PNG",
        b"".join(kept),
        _orientation(directory, xmp),
        profile,
        _exif_colours(directory),
        colour_chunks,
        bits=bits,
        pages=pages,
        damage=png.damage_of(content),
    )


def _webp(content: bytes) -> ImageFile:
    kept: list[bytes] = []
    found = {b"EXIF": b"", b"XMP ": b"", b"ICCP": b""}
    lossy = pages = False
    position = 12
    while position < len(content):
        kind, size = content[position : position + 4], content[position + 4 : position + 8]
        if len(size) < 4:
            kept.append(content[position:])
            break
        end = position + 8 + struct.unpack("<I", size)[0]
        payload = content[position + 8 : end]
        end += end % 2
        if kind == b"VP8X" and payload:
            flags = bytes((payload[0] & ~_WEBP_METADATA,))
            kept.append(content[position : position + 8] + flags + content[position + 9 : end])
        elif kind in _WEBP_PIXELS:
            kept.append(content[position:end])
        elif kind in found:
            found[kind] = found[kind] or payload
        lossy = lossy or kind == b"VP8 "
        pages = pages or kind == b"ANIM"
        position = end
    body = b"".join(kept)
    directory = tiff.read_directory(found[b"EXIF"].removeprefix(b"Exif\0\0"))
    return ImageFile(
        "WEBP",
        b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body,
        _orientation(directory, found[b"XMP "]),
        found[b"ICCP"] or None,
        _exif_colours(directory),
        lossy=lossy,
        pages=pages,
    )


def _tiff(content: bytes) -> ImageFile:
    directory = tiff.read_directory(content)
    if directory is None:
        return ImageFile("TIFF", content)
    bits = directory.integers(tiff.BITS_PER_SAMPLE)
    compression = directory.integers(tiff.COMPRESSION)
    samples = directory.integers(tiff.SAMPLES_PER_PIXEL)
    photometric = directory.integers(tiff.PHOTOMETRIC_INTERPRETATION)
    tile = (*directory.integers(tiff.TILE_WIDTH), *directory.integers(tiff.TILE_LENGTH))
    return ImageFile(
        "TIFF",
        tiff.without_metadata(directory),
        _orientation(directory, directory.data(tiff.XMP) or b""),
        directory.data(tiff.ICC_PROFILE) or None,
        _exif_colours(directory),
        bits=bits[0] if bits else 1,
        samples=samples[0] if samples else 1,
        lossy=bool(compression) and compression[0] not in _LOSSLESS_TIFF,
        pages=directory.has_next,
        white_is_zero=tuple(photometric) == (tiff.WHITE_IS_ZERO,),
        tile=(tile[0], tile[1]) if len(tile) == 2 else None,
        is_signed=set(directory.integers(tiff.SAMPLE_FORMAT)) == {tiff.SIGNED},
        narrow_palette=tiff.narrow_palette(directory),
        damage=tiff_parts.damage_of(directory),
        refusal=tiff_parts.refusal_of(directory),
    )


def _bmp_bits(content: bytes) -> int | None:
    header = content[14:30]
    if len(header) < 16:
        return None
    # The first version of the format has a shorter header.
    place = 10 if header[:4] == b"\x0c\0\0\0" else 14
    return int.from_bytes(header[place : place + 2], "little")


def _netpbm(content: bytes) -> ImageFile:
    file = ImageFile("PPM", content)
    if content[1:2] in (b"1", b"4"):
        return replace(file, maximum=0)
    header = _NETPBM.match(content)
    if header is None:
        return file
    width, height, maximum = (int(number) for number in header.groups())
    if content[header.end() - 1 : header.end() + 1] == b"\r\n":
        return replace(file, maximum=maximum, refusal=_TWO_LINE_ENDS)
    is_clipped = False
    if content[1:2] == b"5":
        samples: np.dtype[np.unsignedinteger] = np.dtype(">u2" if maximum > 255 else "u1")
        # Other images may follow.
        count = min(width * height, (len(content) - header.end()) // samples.itemsize)
        values = np.frombuffer(content, samples, count, header.end())
        is_clipped = bool((values > maximum).any())
    return replace(file, maximum=maximum, is_clipped=is_clipped)


def _orientation(directory: tiff.Directory | None, xmp: bytes) -> int:
    """What EXIF says, else what XMP says, else 1."""
    if directory is not None and directory.orientation is not None:
        return directory.orientation
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


def _exif_colours(directory: tiff.Directory | None) -> ExifColours | None:
    """What EXIF says of the colours; nothing where it says sRGB."""
    exif = None if directory is None else directory.inner(tiff.EXIF)
    if exif is None:
        return None
    if _UNCALIBRATED not in exif.integers(tiff.COLOUR_SPACE)[:1]:
        return None
    inner = exif.inner(tiff.INTEROPERABILITY)
    index = b"" if inner is None else inner.data(tiff.INTEROPERABILITY_INDEX) or b""
    return {b"R03": "adobe-rgb", b"R98": None}.get(index[:3], "unnamed")
