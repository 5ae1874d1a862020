"""Turning decoded photos of every pixel type into 8-bit sRGB.

Nothing here guesses how bright a photo is: a type whose white is not agreed upon is refused, and so
is a photo that would come out nearly black because its samples do not fill their type.
"""

from __future__ import annotations

import io
import logging
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from spadepis.dataset.inputs.containers import ImageFile
from spadepis.dataset.inputs.image_files import RefusedImageError
from spadepis.dataset.inputs.integrity import check_integrity
from spadepis.dataset.inputs.rgb_encodings import ADOBE_RGB, encoding_of_png

log = logging.getLogger(__name__)

# White of the samples of a type.
_WHITE_16_BITS = 65535
_WHITE_12_BITS = 4095
# A photo of more than 8 bits with nothing brighter is taken as one of at most 14 bits.
_DARKEST_WHITE = 64
_KEPT_TRANSFORMS = 8
# Profiles that change no colour by more than this are sRGB itself, up to rounding.
_SAME_COLOUR = 2
# What ImageCms raises on profiles that are damaged, or are of another colour model.
_PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
_CONVERTED = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")
_COLOUR_MODELS = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}


def to_srgb(image: Image.Image, file: ImageFile, uri: str) -> NDArray[np.uint8]:
    """The colours of a photo, uint8 [H,W,3] in sRGB.

    An embedded colour profile is applied; without one, the encoding that a PNG file declares, and
    Adobe RGB if EXIF says so. What of these cannot be used is ignored, with a line in the log. CMYK
    without a profile is converted by subtraction. Alpha is dropped: pixels have the colour that the
    file stores for them, transparent or not.

    Raises:
        RefusedImageError: the samples have no agreed white, would come out black, or are of high
            dynamic range.
        Exception: what a decoder raises; see ``check_integrity``.
    """
    check_integrity(image, file)
    narrowed = _to_8_bits(image, file)
    if narrowed.mode == "LAB":
        colours = _lab_to_srgb(narrowed)
    else:
        model = narrowed.mode if narrowed.mode in ("L", "CMYK") else "RGB"
        colours = narrowed if narrowed.mode == model else narrowed.convert(model)
        if file.icc_profile is not None and b"cICP" not in file.colour_chunks:
            colours = _apply_profile(colours, file.icc_profile, uri)
    pixels = np.asarray(colours if colours.mode == "RGB" else colours.convert("RGB"))
    if narrowed.mode not in ("LAB", "CMYK"):
        pixels = _apply_declaration(pixels, file, uri)
    _check_range(pixels, image, file)
    return pixels


def _to_8_bits(image: Image.Image, file: ImageFile) -> Image.Image:
    """An image of 8 bits a sample; alpha may be left."""
    if image.mode in _CONVERTED or image.mode == "LAB":
        if image.mode in ("1", "LA"):
            return image.convert("L")
        return _with_palette(image, file)
    if image.mode in ("La", "RGBa"):
        return _to_8_bits(image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode]), file)
    if file.white_is_zero:
        raise RefusedImageError(f"a photo of type {image.mode} in which 0 is white cannot be read")
    samples = np.asarray(image)
    if image.mode.startswith("I;16"):
        if file.bits == 12:
            return _scaled(samples, _WHITE_12_BITS)
        # The upper byte, which is what decoders take of 16-bit colours.
        return Image.fromarray((samples >> 8).astype(np.uint8))
    if image.mode == "I" and file.maximum is not None:
        # The decoder has scaled the samples from the maximum of the file to 16 bits.
        return _scaled(samples, _WHITE_16_BITS)
    if image.mode == "F":
        return _scaled_floats(samples)
    raise RefusedImageError(f"white is not agreed on for type {image.mode}: convert it to 8 bits")


def _with_palette(image: Image.Image, file: ImageFile) -> Image.Image:
    """An image with the palette that its file means."""
    if file.narrow_palette is None or image.mode not in ("P", "PA"):
        return image
    meant = image.copy()
    meant.putpalette(file.narrow_palette)
    return meant


def _scaled(samples: NDArray[np.integer], white: int) -> Image.Image:
    wide = samples.astype(np.uint32)
    return Image.fromarray(((wide * 255 + white // 2) // white).astype(np.uint8))


def _scaled_floats(samples: NDArray[np.float32]) -> Image.Image:
    lowest, highest = float(samples.min()), float(samples.max())
    if not (lowest >= 0.0 and highest <= 1.0):
        raise RefusedImageError(
            f"its floating-point values go from {lowest:.4g} to {highest:.4g}, and only those in "
            "[0, 1] have an agreed white: convert it to 8 bits"
        )
    return Image.fromarray(np.rint(samples * 255).astype(np.uint8))


def _check_range(pixels: NDArray[np.uint8], image: Image.Image, file: ImageFile) -> None:
    """Refuse samples of 10, 12 or 14 bits in 16, which look black."""
    is_wide = image.mode == "F" or (file.bits or 0) > 12 or file.maximum == _WHITE_16_BITS
    if is_wide and pixels.max() < _DARKEST_WHITE:
        raise RefusedImageError(
            f"it would come out nearly black, with {pixels.max()} of 255 as its brightest value: "
            "its samples do not fill their type. Scale them, or convert it to 8 bits"
        )


def _apply_profile(image: Image.Image, profile: bytes, uri: str) -> Image.Image:
    try:
        transform = _transform(profile, image.mode)
        if transform is None:
            return image
        converted = ImageCms.applyTransform(image, transform)
    except _PROFILE_ERRORS as error:
        log.warning("%s: its colour profile is ignored (%s)", uri, error)
        return image
    assert converted is not None
    return converted


def _apply_declaration(pixels: NDArray[np.uint8], file: ImageFile, uri: str) -> NDArray[np.uint8]:
    """Turn samples into sRGB that a file without a profile declares to be of another encoding."""
    chunks = file.colour_chunks
    if file.icc_profile is not None and b"cICP" not in chunks:
        return pixels
    if not chunks and file.exif_colours == "unnamed":
        log.info("%s: EXIF says that the colours are not sRGB, but does not name their space", uri)
    try:
        encoding = encoding_of_png(chunks)
        if not chunks and file.exif_colours == "adobe-rgb":
            encoding = ADOBE_RGB
        return pixels if encoding is None else encoding.to_srgb(pixels)
    except RefusedImageError:
        raise
    except ValueError as error:
        log.warning("%s: its colour information is ignored (%s)", uri, error)
        return pixels


@lru_cache(_KEPT_TRANSFORMS)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of a profile to sRGB; None if it changes nothing.

    Raises:
        Exception: one of ``_PROFILE_ERRORS``, if the profile cannot be used.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    model = source.profile.xcolor_space
    if model != _COLOUR_MODELS[mode]:
        raise ValueError(f"it is for the colour model {model.strip()}, and the photo is {mode}")
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    probe = _probe(mode)
    before = np.asarray(probe.convert("RGB")).astype(int)
    after = np.asarray(ImageCms.applyTransform(probe, transform)).astype(int)
    white, black = after[0, 0], after[0, -1]
    if white.min() < 128 or black.max() > 128:
        raise ValueError(f"it turns white into {white.tolist()} and black into {black.tolist()}")
    return None if mode != "CMYK" and abs(after - before).max() <= _SAME_COLOUR else transform


def _probe(mode: str) -> Image.Image:
    """Colours spread over a mode, from white to black."""
    levels = np.arange(255, -1, -15).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    if mode == "RGB":
        return Image.fromarray(cube)
    ink = np.concatenate([255 - cube, np.zeros_like(cube[..., :1])], axis=-1)
    ink[0, -1] = 255
    return Image.fromarray(ink, "CMYK")


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None
    return converted
