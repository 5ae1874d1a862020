"""Removing the blocks of photos in which they are visible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.inputs.photos import Photo
from spadepis.deblocking.quantization import standard_quantization
from spadepis.deblocking.shifted_dct import deblock
from spadepis.quality.appearance import blockiness

# Photos without blocks stay below this: see docs/benchmarks.md.
VISIBLE = 0.25
# Blocks are removed when this share of the blockiness is left, or less than is visible.
REST = 0.25
# Tried on photos whose blocks are not those of their own file, the gentlest first.
QUALITIES = (95, 85, 70, 55, 40, 25)


def without_blocks(photo: Photo) -> NDArray[np.uint8]:
    """The pixels of a photo, without blocks if any are visible.

    The quantization is that of the file. If this leaves blocks, the photo was compressed more
    strongly before it was saved as this file; then the gentlest standard quantization is taken that
    removes them, or the last one.
    """
    before = blockiness(photo.pixels)
    # That of photos too small to have blocks is NaN.
    if not before > VISIBLE:
        return photo.pixels
    own = [] if photo.quantization is None else [photo.quantization]
    for quantization in (*own, *map(standard_quantization, QUALITIES)):
        deblocked = deblock(photo.pixels, quantization)
        if blockiness(deblocked) <= max(VISIBLE, REST * before):
            break
    return deblocked
