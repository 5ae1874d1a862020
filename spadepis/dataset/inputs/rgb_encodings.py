"""Colours that a file declares without a profile: chunks of PNG, and Adobe RGB by EXIF.

PNG names the encoding of its samples by primaries and an exponent (gAMA, cHRM) or by numbers of
ITU-T H.273 (cICP); see "Portable Network Graphics (Third Edition)", W3C, 11.3.2. Cameras that store
Adobe RGB say so by the interoperability index R03 (DCF 2.0; Exif 2.32, annex C).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.inputs.image_files import RefusedImageError

Point = tuple[float, float]
"""Chromaticity x and y."""

_D65: Point = (0.3127, 0.3290)
_SRGB_EXPONENT = 2.2
# An exponent so close to that of sRGB stands for the curve of sRGB, which is no power.
_EXPONENT_OF_SRGB = 0.05
_POSSIBLE_EXPONENTS = (0.9, 3.2)
# Matrices that change no linear colour by more than this are those of sRGB, up to rounding.
_SAME_MATRIX = 0.005
_ENCODED_STEPS = 1 << 14
_PIXELS_AT_ONCE = 1 << 20
# Cone responses of Bradford, for which another white is adapted to that of sRGB.
_BRADFORD = np.array(
    ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
)


@dataclass(frozen=True)
class RgbEncoding:
    """How the samples of a photo stand for light.

    Attributes:
        red: chromaticity of the primary.
        green: chromaticity of the primary.
        blue: chromaticity of the primary.
        white: chromaticity of pixels whose three samples are equal.
        exponent: from samples to linear light; None for the curve of sRGB.
    """

    red: Point = (0.64, 0.33)
    green: Point = (0.30, 0.60)
    blue: Point = (0.15, 0.06)
    white: Point = _D65
    exponent: float | None = None

    def to_linear_srgb(self) -> NDArray[np.float64]:
        """The matrix that turns linear light of this encoding into that of sRGB, [3,3].

        Raises:
            ValueError: the chromaticities are not those of colours.
        """
        matrix = np.linalg.inv(_to_xyz(RgbEncoding())) @ _adaptation(self.white) @ _to_xyz(self)
        if not np.isfinite(matrix).all():
            raise ValueError("its primaries are not valid colours")
        return matrix

    def to_srgb(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Samples in this encoding, uint8 [H,W,3], in sRGB; colours outside of it are clipped.

        Raises:
            ValueError: the chromaticities are not those of colours.
        """
        matrix = self.to_linear_srgb()
        is_same = _is_identity(matrix)
        if is_same and self.exponent is None:
            return pixels
        samples = np.arange(256) / 255
        curve = srgb_to_linear(samples) if self.exponent is None else samples**self.exponent
        linear = curve.astype(np.float32)
        encoded = np.rint(linear_to_srgb(np.linspace(0, 1, _ENCODED_STEPS)) * 255).astype(np.uint8)
        flat = pixels.reshape(-1, 3)
        converted = np.empty_like(flat)
        for start in range(0, len(flat), _PIXELS_AT_ONCE):
            light = linear[flat[start : start + _PIXELS_AT_ONCE]]
            if not is_same:
                light = light @ matrix.T.astype(np.float32)
            steps = np.rint(light.clip(0, 1) * (_ENCODED_STEPS - 1)).astype(np.intp)
            converted[start : start + _PIXELS_AT_ONCE] = encoded[steps]
        return converted.reshape(pixels.shape)


ADOBE_RGB = RgbEncoding(green=(0.21, 0.71), exponent=563 / 256)
"""Adobe RGB (1998) Color Image Encoding, version 2005-05."""

# By the numbers of H.273, tables 2 and 3: primaries, and exponents of transfer functions. Those of
# television are shown as if they were sRGB.
_PRIMARIES = {
    1: RgbEncoding(),
    5: RgbEncoding(green=(0.29, 0.60)),
    6: RgbEncoding((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: RgbEncoding((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: RgbEncoding((0.680, 0.320), (0.265, 0.690)),
}
_EXPONENTS = {1: None, 4: 2.2, 5: 2.8, 6: None, 8: 1.0, 13: None, 14: None, 15: None}


def encoding_of_png(chunks: Mapping[bytes, bytes]) -> RgbEncoding | None:
    """The encoding that the chunks cICP, sRGB, gAMA and cHRM of a PNG file declare.

    Raises:
        RefusedImageError: it is one of high dynamic range, or another that is not known.
        ValueError: a chunk is damaged or holds impossible values.
    """
    if (numbers := chunks.get(b"cICP")) is not None:
        return _encoding_of_numbers(numbers)
    if b"sRGB" in chunks or not chunks:
        return None
    points, exponent = RgbEncoding(), None
    if (content := chunks.get(b"cHRM")) is not None:
        if len(content) != 32:
            raise ValueError("its chunk cHRM is damaged")
        x = [value / 100_000 for value in struct.unpack(">8I", content)]
        white, red, green, blue = zip(x[::2], x[1::2], strict=True)
        points = RgbEncoding(red, green, blue, white)
    if (content := chunks.get(b"gAMA")) is not None:
        stored = struct.unpack(">I", content)[0] if len(content) == 4 else 0
        exponent = 100_000 / stored if stored else 0.0
        lowest, highest = _POSSIBLE_EXPONENTS
        if not lowest <= exponent <= highest:
            raise ValueError(f"its chunk gAMA says {stored}, which no photo has")
        has_srgb_points = _is_identity(points.to_linear_srgb())
        if has_srgb_points and abs(exponent - _SRGB_EXPONENT) <= _EXPONENT_OF_SRGB:
            exponent = None
    return replace(points, exponent=exponent)


def _encoding_of_numbers(numbers: bytes) -> RgbEncoding:
    if len(numbers) != 4:
        raise ValueError("its chunk cICP is damaged")
    primaries, transfer, _, is_full = numbers
    if primaries not in _PRIMARIES or transfer not in _EXPONENTS or not is_full:
        kind = f"{primaries}, {transfer} in {'full' if is_full else 'narrow'} range"
        raise RefusedImageError(
            f"its chunk cICP says that its colours are coded as {kind}, as for high dynamic range "
            "or video, and such photos cannot be read: convert it to sRGB"
        )
    return replace(_PRIMARIES[primaries], exponent=_EXPONENTS[transfer])


def _is_identity(matrix: NDArray[np.float64]) -> bool:
    return bool(np.abs(matrix - np.eye(3)).max() <= _SAME_MATRIX)


def srgb_to_linear(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light of sRGB samples, both in [0, 1] (IEC 61966-2-1)."""
    power: NDArray[np.float64] = ((samples + 0.055) / 1.055) ** 2.4
    return np.where(samples <= 0.04045, samples / 12.92, power)


def linear_to_srgb(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sRGB samples of linear light, both in [0, 1] (IEC 61966-2-1)."""
    power: NDArray[np.float64] = 1.055 * light ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, power)


def _to_xyz(encoding: RgbEncoding) -> NDArray[np.float64]:
    """The matrix from linear samples to CIE XYZ, in which equal samples are white with Y = 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        primaries = np.stack([_xyz(p) for p in (encoding.red, encoding.green, encoding.blue)], 1)
        try:
            scale = np.linalg.solve(primaries, _xyz(encoding.white))
        except np.linalg.LinAlgError:
            return np.full((3, 3), np.nan)
        return primaries * scale


def _adaptation(white: Point) -> NDArray[np.float64]:
    """The matrix that turns colours under a white into those under the white of sRGB."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = (_BRADFORD @ _xyz(_D65)) / (_BRADFORD @ _xyz(white))
        adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD
        return adapted


def _xyz(point: Point) -> NDArray[np.float64]:
    x, y = np.float64(point[0]), np.float64(point[1])
    return np.array((x / y, 1.0, (1 - x - y) / y))
