"""Whether a photo looks like one of others, and whether it has colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.training.photos import list_photos, read_photo

# Photos are compared as small luminance pictures; the same photo, compressed again or in another
# shape, has a correlation above this.
SMALL_SIDE = 16
LARGEST_CORRELATION = 0.93
# Mean difference of the channels from their mean, in levels of 255.
LEAST_COLOUR = 2.5


@dataclass(frozen=True)
class Resemblance:
    """Small pictures of photos and of their mirror images, normalized, [N,SMALL_SIDE^2]."""

    pictures: Tensor

    @classmethod
    def to(cls, folders: Sequence[Path]) -> Self:
        """To the photos in folders."""
        photos = [read_photo(path) for folder in folders for path in list_photos(folder)]
        pictures = [_small(view) for photo in photos for view in (photo, photo.flip(-1))]
        return cls(torch.stack(pictures) if pictures else torch.zeros(0, SMALL_SIDE**2))

    def has(self, photo: Tensor) -> bool:
        """Whether a photo, uint8 [3,h,w], looks like one of them."""
        return bool((self.pictures @ _small(photo) > LARGEST_CORRELATION).any())


def is_grey(photo: Tensor) -> bool:
    """Whether a photo, uint8 [3,h,w], has hardly any colours."""
    levels = photo.float()
    return float((levels - levels.mean(dim=0)).abs().mean()) < LEAST_COLOUR


def _small(photo: Tensor) -> Tensor:
    """Luminance, roughly, of length 1 without its mean."""
    grey = photo.float().mean(dim=0)[None, None]
    small = F.interpolate(grey, (SMALL_SIDE, SMALL_SIDE), mode="bilinear", antialias=True)
    return F.normalize(small.flatten() - small.mean(), dim=0)
