"""What the residual of a right-hand side is compared with: its contrast."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

SMALLEST_CONTRAST: Final = 0.01
"""The share of the norm that counts at least: of a constant nothing is left without its mean."""


def square_of_contrast(b: Tensor, dim: int) -> Tensor:
    """Squared norm of right-hand sides less their means along a dimension, which stays with size 1.

    Beside the mean of a bright photo a small detail would count for nothing, and the iteration
    would end before it is solved. A constant solves itself.
    """
    contrast = torch.linalg.vector_norm(b - b.mean(dim, keepdim=True), dim=dim, keepdim=True)
    norm = torch.linalg.vector_norm(b, dim=dim, keepdim=True)
    square: Tensor = torch.maximum(contrast, SMALLEST_CONTRAST * norm).square()
    return square
