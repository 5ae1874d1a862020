"""Label maps of any size, padded for SPADE."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spadepis.spade.generator import STRIDE

Pixel = TypeVar("Pixel", bound=np.generic)


def padded(plane: NDArray[Pixel]) -> NDArray[Pixel]:
    """A plane [H,W], its lower and right border repeated up to multiples of SPADE's stride."""
    return np.pad(plane, [(0, -side % STRIDE) for side in plane.shape], mode="edge")
