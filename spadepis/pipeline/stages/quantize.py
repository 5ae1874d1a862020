"""Images cross stages in 8 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def quantize(images: Tensor) -> NDArray[np.uint8]:
    """Clip [N,3,H,W] to [0,1] and round to uint8 [N,H,W,3]."""
    levels = images.clamp(0, 1).mul(255).round().byte()
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())
