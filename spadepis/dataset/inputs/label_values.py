"""What an annotator wrote into a label map, whatever the encoding.

Most files have one meaning: grey values are label values. Others have two. Optimizers store grey
values of which few are in use in 1, 2 or 4 bits, and decoders scale such values up again; other
tools write label values themselves into so few bits. The values of an indexed file are its indices,
unless a tool has put label values into a grey palette.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadepis.dataset.inputs.containers import ImageFile
from spadepis.dataset.inputs.image_files import RefusedImageError
from spadepis.dataset.inputs.integrity import check_integrity

Scaling = Literal["raw", "full"]
"""Whether label values are the numbers stored, or the grey values that these are shown as."""
Colour = tuple[int, int, int]

_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")
_BITMAP = 0
# Compression of BMP in which a pixel may be skipped.
_RUN_LENGTHS = (1, 2)
_WHOLE_PALETTE = 256
_EQUAL_GREYS = (
    "its grey palette shows several indices as the same grey, so that neither greys nor indices "
    "can be taken for label values; --label-scaling raw takes the indices"
)
_RENUMBERED = (
    "the colours of a GIF file are usually numbered by the program that saved it, so that indices "
    "are no label values: save it as PNG. --label-scaling raw takes the indices"
)


@dataclass(frozen=True)
class LabelValues:
    """The values of a label map in the readings that its encoding allows.

    Attributes:
        raw: the numbers stored, integers [H,W].
        full: the grey values that they are shown as, if these differ; None where they do not, or
            are no label values.
        prefers_full: whether the grey values are meant unless something speaks against them.
        bits: bits of a stored number.
        palette: colours of the indices in use, where the palette has colours.
        doubt: why ``raw`` is taken only if the user says so; None where there is no doubt.
    """

    raw: NDArray[np.integer[Any]]
    full: NDArray[np.integer[Any]] | None = None
    prefers_full: bool = False
    bits: int = 8
    palette: Mapping[int, Colour] | None = None
    doubt: str | None = None

    @property
    def preferred(self) -> NDArray[np.integer[Any]]:
        """The values that are meant unless something speaks against them, integers [H,W]."""
        return self.full if self.prefers_full and self.full is not None else self.raw


def label_values(image: Image.Image, file: ImageFile) -> LabelValues:
    """The values of an opened label map or instance map.

    Raises:
        RefusedImageError: the file holds no label values, or not those that were written.
        Exception: what a decoder raises; see ``check_integrity``.
    """
    _check_kind(image, file)
    check_integrity(image, file)
    pixels = np.asarray(image)
    if file.format == "PPM":
        return LabelValues(_netpbm_values(pixels, file.maximum), bits=16)
    if image.mode == "1":
        raw = pixels.astype(np.uint8)
        return LabelValues(raw, raw * np.uint8(255), bits=1)
    if image.mode == "L" and file.bits in (2, 4):
        step = 255 // ((1 << file.bits) - 1)
        return LabelValues(pixels // np.uint8(step), pixels, bits=file.bits)
    if image.mode == "P":
        return _palette_values(pixels, image, file)
    if file.is_signed and pixels.dtype == np.uint8:
        # The decoder takes no notice of the sign, and Pillow has no images of such samples.
        return LabelValues(pixels.view(np.int8).astype(np.int32))
    return LabelValues(pixels.astype(pixels.dtype.newbyteorder("=")), bits=file.bits or 8)


def _check_kind(image: Image.Image, file: ImageFile) -> None:
    if image.mode not in _MODES or file.samples != 1:
        samples = f" of {file.samples} samples a pixel" if file.samples != 1 else ""
        raise RefusedImageError(
            f"a label map has one channel of integers, this is a {image.mode} image{samples}"
        )
    if file.lossy:
        raise RefusedImageError(
            f"{file.format} with lossy compression changes label values, most of all at borders: "
            "save label maps and instance maps as PNG"
        )
    if file.white_is_zero:
        raise RefusedImageError(
            "its photometric interpretation is WhiteIsZero, so that label values may be inverted: "
            "save it as BlackIsZero, or as PNG"
        )
    if file.maximum == _BITMAP:
        raise RefusedImageError(
            "a bitmap (PBM) has black and white, but no label values: save it as PGM or PNG"
        )
    if file.is_clipped:
        raise RefusedImageError(
            f"it has values above {file.maximum}, which its header says is the largest"
        )
    if file.pages or getattr(image, "n_frames", 1) > 1:
        raise RefusedImageError(
            "it holds several images, and nothing says which of them is the label map"
        )
    if file.format == "GIF" and _is_partial(image):
        raise RefusedImageError(
            "it does not store all of its pixels, so that the values of the others are not known"
        )
    if file.format == "BMP" and image.info.get("compression") in _RUN_LENGTHS:
        raise RefusedImageError(
            "BMP with run lengths may leave out pixels, whose values are not known: save it as PNG"
        )
    if file.format == "BMP" and file.bits != {"1": 1, "L": 8}.get(image.mode, file.bits):
        # Pillow takes such files for others, of which the palette is left out.
        raise RefusedImageError("a BMP file with such a palette cannot be read: save it as PNG")


def _is_partial(image: Image.Image) -> bool:
    """Whether a GIF file stores a part of its canvas only, and the decoder fills in the rest."""
    return any(tile.extents != (0, 0, *image.size) for tile in getattr(image, "tile", ()))


def _netpbm_values(pixels: NDArray[Any], maximum: int | None) -> NDArray[np.integer[Any]]:
    """The numbers in a PGM file; the decoder has scaled them from its maximum to 8 or 16 bits."""
    if maximum is None:
        raise RefusedImageError("the header does not say its largest value")
    scaled = pixels.astype(np.int64)
    white = 255 if maximum <= 255 else 65535
    # Exact: the decoder has rounded to a scale that is no coarser.
    raw = (scaled * maximum * 2 + white) // (2 * white)
    return raw.astype(np.uint8 if maximum <= 255 else np.uint16)


def _palette_values(pixels: NDArray[np.uint8], image: Image.Image, file: ImageFile) -> LabelValues:
    colours = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    used = np.unique(pixels)
    bits = file.bits or 8
    if used[-1] >= len(colours):
        raise RefusedImageError(f"its palette has no entry {used[-1]}, which is in use")
    if (colours == colours[:, :1]).all():
        greys = colours[:, 0]
        if np.array_equal(greys[used], used):
            return LabelValues(pixels, bits=bits)
        # A table of a single grey is a failed one: no label map needs several indices for it.
        is_blank = greys.size > 1 and not np.ptp(greys)
        if is_blank or np.unique(greys[used]).size < used.size:
            return LabelValues(pixels, bits=bits, doubt=_EQUAL_GREYS)
        return LabelValues(pixels, greys[pixels], prefers_full=True, bits=bits)
    palette = {int(index): _colour(colours[index]) for index in used}
    # A writer of GIF that leaves out unused colours numbers the others anew.
    is_renumbered = file.format == "GIF" and len(colours) < _WHOLE_PALETTE
    doubt = _RENUMBERED if is_renumbered and used[-1] == used.size - 1 else None
    return LabelValues(pixels, palette=palette, bits=bits, doubt=doubt)


def _colour(colour: NDArray[np.uint8]) -> Colour:
    red, green, blue = colour.tolist()
    return red, green, blue
