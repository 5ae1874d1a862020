"""Colours for classes that have none of their own."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def pascal_colours(ids: Iterable[int]) -> NDArray[np.uint8]:
    """Colours of the PASCAL VOC colour map: an id's bits go to R, G and B in turn.

    Args:
        ids: N of 0..255; 0 is black.

    Returns:
        Colours, uint8 [N, 3], all different.
    """
    bits = np.unpackbits(np.array(list(ids), np.uint8)[:, None], axis=1, count=8, bitorder="little")
    dealt = np.pad(bits, ((0, 0), (0, 1))).reshape(-1, 3, 3)
    weights = np.array([[128], [64], [32]], np.uint8)
    colours: NDArray[np.uint8] = (dealt * weights).sum(axis=1, dtype=np.uint8)
    return colours
