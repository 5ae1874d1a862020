"""Whether a TIFF file holds the strips or tiles that its directory names.

Decoders of uncompressed files take whatever stands in the places named, be it other parts of the
file, and lay out some arrangements of channels wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spadepis.dataset.inputs import tiff
from spadepis.dataset.inputs.tiff import Directory

_UNCOMPRESSED = 1
_SEPARATE = 2
_FULL_RESOLUTION = (1, 1)


@dataclass(frozen=True)
class _Parts:
    """The strips or tiles of an image, plane by plane, from left to right and from the top.

    Attributes:
        name: what a part is called.
        offsets: where the parts are.
        byte_counts: their sizes in the file, as far as it says so.
        columns: pixels beside each other in a part.
        rows: pixels below each other in a part.
        last_rows: the same of the parts at the bottom; strips may have fewer.
        across: parts beside each other.
        down: parts below each other.
        planes: channels that are stored by themselves, or 1.
    """

    name: str
    offsets: Sequence[int]
    byte_counts: Sequence[int]
    columns: int
    rows: int
    last_rows: int
    across: int
    down: int
    planes: int

    @property
    def needed(self) -> int:
        """How many parts the image has."""
        return self.across * self.down * self.planes


def damage_of(directory: Directory) -> str | None:
    """How the file is damaged where a decoder may not notice; None if it is sound."""
    if directory.is_cut:
        return "image file is truncated in its directory"
    for tag in directory.entries:
        if tag in tiff.PIXEL_TAGS and not directory.is_within_file(tag):
            return f"image file is truncated: the values of tag {tag} are missing"
    parts = _parts(directory)
    if parts is None:
        return None
    if len(parts.offsets) < parts.needed:
        return f"the directory names {len(parts.offsets)} of {parts.needed} {parts.name}s"
    sizes = _sizes(directory, parts)
    for number, (offset, size) in enumerate(zip(parts.offsets, sizes, strict=False), 1):
        missing = offset + size - len(directory.content)
        if missing > 0:
            return (
                f"image file is truncated: {missing} bytes of {parts.name} {number} of "
                f"{parts.needed} are missing"
            )
    return None


def refusal_of(directory: Directory) -> str | None:
    """Why a sound file cannot be read though a decoder takes it; None if it can."""
    parts = _parts(directory)
    if parts is not None and any(offset <= 0 for offset in parts.offsets[: parts.needed]):
        return (
            f"it is sparse: a {parts.name} is not stored, so that its values are not known. "
            "Save it with all its pixels"
        )
    if not _is_uncompressed(directory):
        return _refusal_of_compressed(directory)
    samples = _integer(directory, tiff.SAMPLES_PER_PIXEL, 1)
    bits = set(directory.integers(tiff.BITS_PER_SAMPLE))
    if samples > 1 and bits != {8} and _is_separate(directory):
        return (
            "uncompressed channels that do not have 8 bits and are stored one after the other "
            "(PlanarConfiguration 2) are not read: save it compressed, or with interleaved channels"
        )
    subsampling = tuple(directory.integers(tiff.YCBCR_SUBSAMPLING)) or _FULL_RESOLUTION
    photometric = _integer(directory, tiff.PHOTOMETRIC_INTERPRETATION, 0)
    if photometric == tiff.YCBCR and subsampling != _FULL_RESOLUTION:
        return "uncompressed YCbCr with subsampled colours is not read: save it as RGB"
    return None


def _refusal_of_compressed(directory: Directory) -> str | None:
    """Decompression leaves samples in the machine's order, and Pillow turns some of them again."""
    bits = max(directory.integers(tiff.BITS_PER_SAMPLE), default=1)
    is_unsigned = set(directory.integers(tiff.SAMPLE_FORMAT)) <= {tiff.UNSIGNED}
    is_turned = bits > 16 or (bits == 16 and not is_unsigned)
    if is_turned and directory.content[:2] == tiff.BIG_ENDIAN:
        return (
            "compressed samples of 32 bits, or signed ones of 16, that are stored with the high "
            "byte first are not read: save it uncompressed, or as PNG"
        )
    return None


def _parts(directory: Directory) -> _Parts | None:
    """The parts of the image; None where the directory lacks what no decoder can do without."""
    width = _integer(directory, tiff.IMAGE_WIDTH, 0)
    height = _integer(directory, tiff.IMAGE_LENGTH, 0)
    planes = _integer(directory, tiff.SAMPLES_PER_PIXEL, 1) if _is_separate(directory) else 1
    # Decoders go by strips where both are given.
    if tiff.STRIP_OFFSETS in directory.entries:
        name, columns = "strip", width
        rows = _integer(directory, tiff.ROWS_PER_STRIP, height)
        places, counts = tiff.STRIP_OFFSETS, tiff.STRIP_BYTE_COUNTS
    else:
        name, columns = "tile", _integer(directory, tiff.TILE_WIDTH, 0)
        rows = _integer(directory, tiff.TILE_LENGTH, 0)
        places, counts = tiff.TILE_OFFSETS, tiff.TILE_BYTE_COUNTS
    offsets = directory.integers(places)
    if not offsets or min(width, height, planes, columns, rows) < 1:
        return None
    across, down = -(-width // columns), -(-height // rows)
    last = rows if name == "tile" else height - rows * (down - 1)
    byte_counts = directory.integers(counts)
    return _Parts(name, offsets, byte_counts, columns, rows, last, across, down, planes)


def _sizes(directory: Directory, parts: _Parts) -> Sequence[int]:
    """Bytes that a decoder takes of each part."""
    if not _is_uncompressed(directory):
        # Old files do not say it.
        return parts.byte_counts or [1] * parts.needed
    # Decoders do not go by the byte counts, which some programs get wrong.
    row = (parts.columns * _bits_of_pixel(directory) + 7) // 8
    upper = [row * parts.rows] * (parts.across * (parts.down - 1))
    return (upper + [row * parts.last_rows] * parts.across) * parts.planes


def _bits_of_pixel(directory: Directory) -> int:
    """Bits of a pixel in a plane."""
    samples = _integer(directory, tiff.SAMPLES_PER_PIXEL, 1)
    bits = directory.integers(tiff.BITS_PER_SAMPLE) or (1,)
    if _is_separate(directory):
        return bits[0]
    return sum(bits[:samples]) if len(bits) > 1 else bits[0] * samples


def _is_uncompressed(directory: Directory) -> bool:
    return _integer(directory, tiff.COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED


def _is_separate(directory: Directory) -> bool:
    return _integer(directory, tiff.PLANAR_CONFIGURATION, 1) == _SEPARATE


def _integer(directory: Directory, tag: int, default: int) -> int:
    """The first value of an entry."""
    values = directory.integers(tag)
    return values[0] if values else default
