"""The quantization tables of JPEG files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

# How many rows and columns share a sample of chrominance, by Pillow's number of the sampling.
_SAMPLINGS = {0: (1, 1), 1: (1, 2), 2: (2, 2)}


@dataclass(frozen=True)
class Quantization:
    """The quantization of a colour JPEG.

    Attributes:
        luminance: the step of each DCT coefficient in 8-bit levels, float32 [8,8], vertical
            frequency first.
        chrominance: the same for both planes of chrominance.
        sampling: how many rows and columns share a sample of chrominance.
    """

    luminance: NDArray[np.float32]
    chrominance: NDArray[np.float32]
    sampling: tuple[int, int] = (2, 2)

    @property
    def transposed(self) -> Quantization:
        """The quantization of the photo with rows and columns exchanged."""
        return Quantization(self.luminance.T, self.chrominance.T, self.sampling[::-1])


def quantization_of(image: Image.Image) -> Quantization | None:
    """The quantization of an opened image file; None if it is not a colour JPEG."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode != "RGB":
        return None
    sampling = _SAMPLINGS.get(JpegImagePlugin.get_sampling(image), (2, 2))
    # Each plane names its table; files may use one for all planes.
    luminance, chrominance, *_ = (
        np.array(image.quantization[plane[3]], np.float32).reshape(8, 8) for plane in image.layer
    )
    return Quantization(luminance, chrominance, sampling)


@cache
def standard_quantization(quality: int) -> Quantization:
    """The tables of ITU-T T.81, Annex K, scaled to a quality of 1 to 100 as libjpeg does."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    quantization = quantization_of(Image.open(file))
    assert quantization is not None
    return quantization
