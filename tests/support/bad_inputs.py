"""Files that cannot be used, and others that look so but can, as they stand in real folders."""

import io
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from spadepis.dataset.encoding import encode_jpeg, encode_png

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LABELS = np.arange(24 * 24, dtype=np.uint8).reshape(24, 24) % 180
PHOTO = np.random.default_rng(3).integers(0, 256, (24, 24, 3), dtype=np.uint8)
# The whole name of a file takes up to 255 bytes.
LONG_NAME = "n" * 240


@dataclass(frozen=True)
class BadInput:
    """A file that fails its scene.

    Attributes:
        make: puts it at a path.
        reason: regular expression that the message of its failure has to match.
    """

    make: Callable[[Path], object]
    reason: str


def save(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of chunks, each a kind and its content, with right checksums."""
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def png_header(width: int, height: int) -> tuple[bytes, bytes]:
    """Of 8 bits of grey."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)


def tiff_in_a_circle(content: bytes) -> bytes:
    """A little-endian TIFF of one page, which is made to say that the next page is the same."""
    (directory,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, directory)
    end = directory + 2 + 12 * entries
    return content[:end] + content[4:8] + content[end + 4 :]


def tiff_of_one_tile(side: int) -> bytes:
    """A grey TIFF of 16x16 pixels in a tile of ``side`` by ``side``, most of which is missing."""
    pixels = zlib.compress(bytes(256))
    start = 8 + 2 + 12 * 9 + 4
    tags = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 322: side, 323: side}
    tags |= {324: start, 325: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


def jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    content = save(Image.fromarray(LABELS), "JPEG", progressive=True)
    body, end = content[:-2], content[-2:]
    scan = body[body.rindex(b"\xff\xda") :]
    return body + scan * (count - body.count(b"\xff\xda")) + end


def frames(values: list[int]) -> bytes:
    """An animated GIF, each frame of one palette index."""
    images = [Image.new("P", (24, 24), value) for value in values]
    for image in images:
        image.putpalette([level for level in range(256) for _ in range(3)])
    return save(images[0], "GIF", save_all=True, append_images=images[1:], optimize=False)


def _content(content: bytes, reason: str) -> BadInput:
    return BadInput(lambda path: path.write_bytes(content), reason)


def _grey(value: int, mode: str = "L") -> Image.Image:
    return Image.new(mode, (24, 24), value)


def _damaged(content: bytes, at: int) -> bytes:
    return content[:at] + bytes(255 - byte for byte in content[at : at + 8]) + content[at + 8 :]


PNG, JPEG = encode_png(LABELS), encode_jpeg(PHOTO, 95)
GREY_JPEG = save(Image.fromarray(LABELS), "JPEG")
GREY_TIFF = save(Image.fromarray(LABELS), "TIFF")
FULL_IDAT = (b"IDAT", zlib.compress(bytes(25 * 24)))
BOMB = save(Image.new("1", (9000, 9000)), "PNG")
WEBP = save(Image.fromarray(PHOTO), "WEBP", lossless=True)
TEXT_BOMB = PngImagePlugin.PngInfo()
TEXT_BOMB.add_text("Comment", "0" * (1 << 24), zip=True)
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 24\n%%EndComments\nshowpage\n"

NOT_AN_IMAGE = "not an image"
NOT_DECODED = r"cannot be decoded \(.+\)"
TOO_LARGE = "is more than 50000000 pixels|exceeds limit of"

# Neither a label map nor a photo.
BROKEN: Mapping[str, BadInput] = {
    "empty": _content(b"", NOT_AN_IMAGE),
    "text": _content(b"to be done\n", NOT_AN_IMAGE),
    "web page": _content(b"<!DOCTYPE html><title>404 Not Found</title>", NOT_AN_IMAGE),
    "large file pointer": _content(b"version https://git-lfs.github.com/spec/v1\n", NOT_AN_IMAGE),
    "zeros": _content(bytes(5000), NOT_AN_IMAGE),
    "noise": _content(PHOTO.tobytes(), NOT_AN_IMAGE),
    "postscript": _content(POSTSCRIPT, NOT_AN_IMAGE),
    "pickle": _content(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", NOT_AN_IMAGE),
    "signature only": _content(PNG_SIGNATURE, NOT_AN_IMAGE),
    "cut in the header": _content(PNG[:20], NOT_DECODED),
    "wrong checksum": _content(_damaged(PNG, 18), NOT_AN_IMAGE),
    "cut in the pixels": _content(PNG[: len(PNG) // 2], NOT_DECODED),
    "damaged pixels": _content(_damaged(PNG, len(PNG) // 2), NOT_DECODED),
    "no compression": _content(
        png_of(png_header(24, 24), (b"IDAT", b"no zlib"), (b"IEND", b"")), NOT_DECODED
    ),
    "no pixels": _content(png_of(png_header(24, 24), (b"IEND", b"")), NOT_DECODED),
    "no width": _content(png_of(png_header(0, 24), FULL_IDAT, (b"IEND", b"")), NOT_AN_IMAGE),
    "wide header": _content(png_of(png_header(60_000, 60_000), FULL_IDAT), TOO_LARGE),
    "endless header": _content(png_of(png_header(2**31 - 1, 2**31 - 1), FULL_IDAT), TOO_LARGE),
    "bomb": _content(BOMB, TOO_LARGE),
    "wide netpbm": _content(b"P5 99999 99999 255\n", TOO_LARGE),
    "cut netpbm": _content(b"P5 24 24 255\n123", NOT_DECODED),
    "cut jpeg": _content(GREY_JPEG[: len(GREY_JPEG) // 2], NOT_DECODED),
    "start of a jpeg": _content(JPEG[:40], NOT_DECODED),
    "cut webp": _content(WEBP[: len(WEBP) // 2], NOT_DECODED),
    "cut gif": _content(frames([5, 6])[:800], NOT_DECODED),
    "cut tiff": _content(GREY_TIFF[:60], NOT_AN_IMAGE),
    "cut bmp": _content(save(_grey(1), "BMP")[:100], NOT_DECODED),
    "link to nothing": BadInput(
        lambda path: path.symlink_to("nothing.png"), "cannot be read .No such file"
    ),
    "link to itself": BadInput(
        lambda path: path.symlink_to(path.name), "cannot be read .Too many levels"
    ),
    "link to a device": BadInput(
        lambda path: path.symlink_to("/dev/zero"), "cannot be read .not a regular file"
    ),
    "wide tile": _content(tiff_of_one_tile(45_000), "tiles of 45000x45000 are more than"),
    "endless scans": _content(jpeg_of_scans(5000), "5000 scans are more than 100"),
    "pipe": BadInput(os.mkfifo, "cannot be read .not a regular file"),
    "sparse": BadInput(lambda path: _sparse(path), "cannot be read .* bytes are more than"),
    "a\nb\t\x1b[2Jc": _content(b"", NOT_AN_IMAGE),
    "x..%2f..%2e%2e": _content(b"", NOT_AN_IMAGE),
    LONG_NAME: _content(b"", NOT_AN_IMAGE),
}


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 32)


# An image, but no label map of COCO-Stuff.
NO_LABEL_MAP: Mapping[str, BadInput] = {
    "rgb": _content(encode_png(PHOTO), "this is a RGB image"),
    "alpha": _content(save(_grey(1, "LA"), "PNG"), "this is a LA image"),
    "rgb and alpha": _content(save(_grey(1, "RGBA"), "PNG"), "this is a RGBA image"),
    "jpeg": _content(JPEG, "this is a RGB image"),
    "cmyk": _content(save(_grey(0, "CMYK"), "JPEG"), "this is a CMYK image"),
    "float": _content(save(_grey(1, "F"), "TIFF"), "this is a F image"),
    "outside": _content(save(_grey(200), "PNG"), "raw value 200"),
    "16 bits": _content(save(Image.fromarray(LABELS.astype(np.uint16) + 60_000), "PNG"), "60000"),
    "negative": _content(save(Image.fromarray(LABELS.astype(np.int32) - 7), "TIFF"), "-7"),
    "animation": _content(frames([5, 7]), "several images"),
    "grey jpeg": _content(GREY_JPEG, "lossy compression"),
}

# Instance maps of sound label maps.
NO_INSTANCE_MAP: Mapping[str, BadInput] = {
    "no instances": BadInput(lambda path: None, "cannot be read .No such file"),
    "instances in rgb": _content(encode_png(PHOTO), "this is a RGB image"),
    "instances cut off": _content(PNG[: len(PNG) // 2], NOT_DECODED),
    "instances in a folder": BadInput(Path.mkdir, "cannot be read .Is a directory"),
    "instances of another shape": _content(save(Image.new("L", (24, 12)), "PNG"), "24x12 pixels"),
    "instances are text": _content(b"1 2 3", NOT_AN_IMAGE),
}

# Unusual, but of use.
SOUND_LABEL_MAPS: Mapping[str, bytes] = {
    "one pixel": save(Image.new("L", (1, 1), 7), "PNG"),
    "half the size": save(Image.new("L", (12, 12), 7), "PNG"),
    "text bomb": save(_grey(1), "PNG", pnginfo=TEXT_BOMB),
    "palette": save(Image.fromarray(LABELS).convert("P"), "PNG"),
    "bits": save(Image.new("1", (24, 24), 1), "PNG"),
    "tiff in a circle": tiff_in_a_circle(GREY_TIFF),
    "integers": save(Image.fromarray(LABELS.astype(np.int32)), "TIFF"),
    "a gif": frames([5]),
    "label map\nof 'two' lines; $(id) é 図 👩‍🎨": PNG,
    "almost..hidden..": PNG,
    "x.parquet#column=mask&row=3": PNG,
    f"{LONG_NAME}n": PNG,
}
SOUND_PHOTOS: Mapping[str, bytes] = {
    "cmyk": save(Image.fromarray(PHOTO).convert("CMYK"), "JPEG"),
    "16 bits": save(Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 257), "PNG"),
    "alpha": save(Image.fromarray(PHOTO).convert("RGBA"), "PNG"),
    "grey": save(Image.fromarray(PHOTO[..., 0]), "JPEG"),
    "bad exif": save(Image.fromarray(PHOTO), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"),
    "animation": frames([5, 200]),
    "bits": save(Image.new("1", (24, 24), 1), "PNG"),
}
