"""Luminance of pictures."""

from __future__ import annotations

import torch
from torch import Tensor

# ITU-R BT.601.
WEIGHTS = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


def luminance(images: Tensor) -> Tensor:
    """Luminance [N,H,W] of RGB pictures [N,3,H,W], in their units."""
    return (images.float() * WEIGHTS.to(images.device)).sum(dim=1)
