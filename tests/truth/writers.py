"""Writers of files that Pillow does not write: few bits, tagged EXIF, XMP, colour profiles."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE = 0, 2, 3
SHORT, LONG = 3, 4
Entry = tuple[int, int, int, bytes]
"""Tag, type, number of values, and the value field of 4 bytes."""


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """An image as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file, with its checksum."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(
    samples: NDArray[Any],
    bits: int,
    kind: int = GREY,
    palette: Sequence[Sequence[int]] = (),
    extra: bytes = b"",
) -> bytes:
    """A PNG file of samples [H,W] or [H,W,3], each stored in so many bits."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    rows = b"".join(b"\0" + packed(row.reshape(-1), bits) for row in samples)
    colours = chunk(b"PLTE", bytes(np.array(palette, np.uint8))) if palette else b""
    return b"".join(
        (
            PNG_SIGNATURE,
            chunk(b"IHDR", header),
            extra,
            colours,
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        )
    )


def packed(samples: NDArray[Any], bits: int) -> bytes:
    """Samples [N], the first in the highest bits; of 16 bits the high byte first."""
    if bits >= 8:
        return samples.astype(">u2" if bits == 16 else np.uint8).tobytes()
    places = np.arange(bits - 1, -1, -1)
    return np.packbits((samples[:, None] >> places & 1).astype(np.uint8).reshape(-1)).tobytes()


def tiff(
    samples: NDArray[Any],
    bits: int,
    photometric: int = 1,
    entries: Iterable[Entry] = (),
    order: str = "<",
    tail: bytes = b"",
) -> bytes:
    """A TIFF file of grey samples [H,W], uncompressed, with more entries in its directory.

    Entries may point to the tail, which follows the samples; these begin at byte 8.
    """
    height, width = samples.shape
    if bits == 16:
        data = samples.astype(f"{order}u2").tobytes()
    else:
        data = b"".join(packed(row, bits) for row in samples)
    strip = len(data)
    data += tail

    def short(tag: int, value: int) -> Entry:
        return tag, SHORT, 1, struct.pack(f"{order}HH", value, 0)

    required = [
        short(256, width),
        short(257, height),
        short(258, bits),
        short(259, 1),
        short(262, photometric),
        (273, LONG, 1, struct.pack(f"{order}I", 8)),
        short(277, 1),
        short(278, height),
        (279, LONG, 1, struct.pack(f"{order}I", strip)),
    ]
    # What is given replaces what is required.
    chosen = {entry[0]: entry for entry in (*required, *entries)}
    start = 8 + len(data) + len(data) % 2
    magic = b"II*\0" if order == "<" else b"MM\0*"
    body = data + bytes(len(data) % 2) + directory(chosen.values(), order)
    return magic + struct.pack(f"{order}I", start) + body


def colour_tiff(
    samples: NDArray[Any],
    order: str = "<",
    planar: bool = False,
    predictor: bool = False,
    tiles: bool = False,
    extra: int | None = None,
) -> bytes:
    """A TIFF file of samples [H,W,C] of any type, deflated.

    Args:
        samples: of 8 or 16 bits, or floating-point.
        order: of the bytes.
        planar: whether each channel is stored by itself.
        predictor: whether differences of neighbours are stored.
        tiles: whether the image is cut into tiles of 16x16, rather than into strips of 16 rows.
        extra: what a fourth channel is: 0 unknown, 2 transparency.
    """
    height, width, channels = samples.shape
    typed = samples.astype(np.dtype(f"{order}{samples.dtype.kind}{samples.dtype.itemsize}"))
    columns = 16 if tiles else width
    padding = ((0, -height % 16 if tiles else 0), (0, -width % 16 if tiles else 0), (0, 0))
    typed = np.pad(typed, padding)
    planes = np.split(typed, channels, 2) if planar else [typed]
    chunks = []
    for plane in planes:
        for top in range(0, len(plane), 16):
            for left in range(0, plane.shape[1], columns):
                part = plane[top : top + 16, left : left + columns]
                if predictor:
                    part = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], 1)
                    part = part.astype(typed.dtype)
                chunks.append(zlib.compress(part.tobytes()))
    shorts: list[tuple[int, Sequence[int]]] = [
        (258, [typed.dtype.itemsize * 8] * channels), (259, [8]), (262, [2 if channels > 2 else 1]),
        (277, [channels]), (284, [2 if planar else 1]), (317, [2 if predictor else 1]),
        (339, [3 if typed.dtype.kind == "f" else 1] * channels),
    ]  # fmt: skip
    shorts += [(322, [16]), (323, [16])] if tiles else [(278, [16])]
    shorts += [] if extra is None else [(338, [extra])]
    places = np.cumsum([8, *map(len, chunks)]).tolist()
    longs = [(256, [width]), (257, [height]), (324 if tiles else 273, places[:-1])]
    longs.append((325 if tiles else 279, [len(chunk) for chunk in chunks]))
    data = b"".join(chunks)
    entries = []
    for code, kind, lists in (("H", SHORT, shorts), ("I", LONG, longs)):
        for tag, values in lists:
            field = struct.pack(f"{order}{len(values)}{code}", *values)
            if len(field) > 4:
                data += bytes(len(data) % 2)
                place = struct.pack(f"{order}I", 8 + len(data))
                data, field = data + field, place
            entries.append((tag, kind, len(values), field.ljust(4, b"\0")))
    data += bytes(len(data) % 2)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", 8 + len(data)) + data + directory(entries, order)


def directory(entries: Iterable[Entry], order: str = "<", next_offset: int = 0) -> bytes:
    """A directory of TIFF or EXIF."""
    ordered = sorted(entries, key=lambda entry: entry[0])
    body = b"".join(struct.pack(f"{order}HHI4s", *entry) for entry in ordered)
    return struct.pack(f"{order}H", len(ordered)) + body + struct.pack(f"{order}I", next_offset)


def exif(entries: Iterable[Entry], order: str = "<", tail: bytes = b"") -> bytes:
    """EXIF of one directory, with bytes that its entries may point to after it."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", 8) + directory(entries, order) + tail


def exif_colours(space: int, index: bytes | None, order: str = "<", orientation: int = 1) -> bytes:
    """EXIF with a colour space and, as cameras write it, an interoperability index."""

    def pointer(tag: int, place: int) -> Entry:
        return tag, LONG, 1, struct.pack(f"{order}I", place)

    entries = [(40961, SHORT, 1, struct.pack(f"{order}HH", space, 0))]
    first = 8 + 2 + 12 * 2 + 4
    inner = first + 2 + 12 * (1 if index is None else 2) + 4
    tail = b""
    if index is not None:
        entries.append(pointer(40965, inner))
        tail = directory([(1, 2, 4, index)], order)
    tail = directory(entries, order) + tail
    return exif([oriented(orientation, order), pointer(34665, first)], order, tail)


def oriented(orientation: int, order: str = "<") -> Entry:
    """The entry of an orientation, as cameras write it."""
    return 274, SHORT, 1, struct.pack(f"{order}HH", orientation, 0)


def xmp(orientation: int) -> bytes:
    """XMP that says an orientation and nothing else."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        f'tiff:Orientation="{orientation}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def with_segment(jpeg: bytes, marker: int, payload: bytes) -> bytes:
    """A JPEG file with one more segment at its start."""
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + jpeg[2:]


def with_webp_chunk(
    webp: bytes, kind: bytes, flag: int, payload: bytes, size: tuple[int, int]
) -> bytes:
    """A WebP file of one plain image with one more chunk."""
    width, height = size
    bounds = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<IB3x", 10, flag) + bounds
    added = kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)
    body = b"WEBP" + extended + webp[12:] + added
    return b"".join((b"RIFF", struct.pack("<I", len(body)), body))


# Colours of the primaries as CIE XYZ, adapted to D50, and the exponent of the samples.
PROFILES = {
    "Display P3": (
        ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)),
        2.2,
    ),
    "Adobe RGB": (
        ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)),
        2.2,
    ),
    "ProPhoto": (
        ((0.7977, 0.2880, 0.0000), (0.1352, 0.7119, 0.0000), (0.0313, 0.0001, 0.8249)),
        1.8,
    ),
}
_SRGB = np.array(
    ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)), np.float64
)
_D50 = (0.9642, 1.0, 0.8249)


def profile(name: str) -> bytes:
    """An ICC profile of version 2 with three primaries and one exponent (ICC.1:2001-04)."""
    primaries, exponent = PROFILES[name]
    curve = b"curv" + bytes(4) + struct.pack(">IH2x", 1, round(exponent * 256))
    tags = {b"desc": _description(name), b"cprt": b"text" + bytes(4) + b"none\0"}
    tags |= {b"wtpt": _xyz(_D50), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, primaries), strict=True))
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(exponent: float) -> bytes:
    """An ICC profile of grey samples with an exponent."""
    curve = b"curv" + bytes(4) + struct.pack(">IH2x", 1, round(exponent * 256))
    tags = {b"desc": _description("grey"), b"cprt": b"text" + bytes(4) + b"none\0"}
    return _profile(b"mntr", b"GRAY", b"XYZ ", tags | {b"wtpt": _xyz(_D50), b"kTRC": curve})


def cmyk_profile(corners: NDArray[np.float64]) -> bytes:
    """An ICC profile of inks, whose colour is linear in each ink (lut8, ICC.1:2001-04, 6.5.7).

    Args:
        corners: CIE Lab of no and full ink, [2,2,2,2,3] by cyan, magenta, yellow and black.
    """
    steps = bytes(range(256))
    lab = corners * (255 / 100, 1, 1) + (0, 128, 128)
    table = np.rint(lab).astype(np.uint8).tobytes()
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + steps * 4 + table + steps * 3
    tags = {b"desc": _description("inks"), b"cprt": b"text" + bytes(4) + b"none\0"}
    tags |= {b"wtpt": _xyz(_D50), b"A2B0": lut, b"A2B1": lut}
    return _profile(b"prtr", b"CMYK", b"Lab ", tags)


def lab_to_srgb(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colours of sRGB for CIE Lab under D50, uint8, clipped."""
    lightness, a, b = np.moveaxis(lab, -1, 0)
    f = (lightness + 16) / 116
    f = np.stack([f + a / 500, f, f - b / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _D50
    return linear_to_srgb(xyz @ np.linalg.inv(_SRGB))


def linear_to_srgb(linear: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Samples of sRGB for linear light (IEC 61966-2-1), uint8, clipped."""
    light = linear.clip(0, 1)
    power: NDArray[np.float64] = 1.055 * light ** (1 / 2.4) - 0.055
    value = np.where(light <= 0.0031308, light * 12.92, power)
    samples: NDArray[np.uint8] = np.rint(value * 255).astype(np.uint8)
    return samples


def to_profile(srgb: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """The samples that stand for sRGB colours in a profile, uint8 [H,W,3], clipped."""
    primaries, exponent = PROFILES[name]
    linear = srgb_to_linear(srgb)
    inside = linear @ _SRGB @ np.linalg.inv(np.array(primaries))
    return np.rint(inside.clip(0, 1) ** (1 / exponent) * 255).astype(np.uint8)


def srgb_to_linear(srgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Linear light of sRGB samples (IEC 61966-2-1), in [0, 1]."""
    value = srgb / 255
    linear: NDArray[np.float64] = np.where(
        value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4
    )
    return linear


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _description(name: str) -> bytes:
    text = name.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)


def _profile(kind: bytes, model: bytes, space: bytes, tags: dict[bytes, bytes]) -> bytes:
    start = 132 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI", start + len(data), bytes(4), 0x02400000) + kind + model + space
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", *(round(value * 65536) for value in _D50))
    return header.ljust(128, b"\0") + table + data
