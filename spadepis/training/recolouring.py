"""Random changes of colour, alike in a photo and in the picture generated from its label map.

A discriminator that sees few photos learns them by heart, and a generator that it judges tells
classes by their colours, which stylization takes away. Changes that are applied to real and
generated pictures alike, and that gradients pass through, help against both (Zhao et al.,
*Differentiable augmentation for data-efficient GAN training*, NeurIPS 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Generator, Tensor

from spadepis.training.luminance import luminance

# Pictures that are left as they are, so that the colours themselves are learned, too.
UNCHANGED = 0.3
# Pictures are in [-1,1].
LARGEST_SHIFT, LARGEST_CAST = 0.4, 0.2
SMALLEST_CONTRAST, LARGEST_CONTRAST = 0.5, 1.3
LARGEST_SATURATION = 1.5


@dataclass(frozen=True)
class Recolouring:
    """One change of colour for each picture of a batch.

    Attributes:
        saturation: factor of the difference from the luminance, [N,1,1,1].
        contrast: factor of the difference from the mean, [N,1,1,1].
        shift: what is added to each channel, [N,3,1,1].
    """

    saturation: Tensor
    contrast: Tensor
    shift: Tensor

    @classmethod
    def draw(cls, count: int, random: Generator) -> Self:
        """Draw a change for each of so many pictures."""

        def between(smallest: float, largest: float, channels: int = 1) -> Tensor:
            drawn = torch.rand(count, channels, 1, 1, generator=random)
            return smallest + (largest - smallest) * drawn

        changed = between(0, 1) >= UNCHANGED
        shift = between(-LARGEST_SHIFT, LARGEST_SHIFT) + between(-LARGEST_CAST, LARGEST_CAST, 3)
        return cls(
            torch.where(changed, between(0, LARGEST_SATURATION), 1),
            torch.where(changed, between(SMALLEST_CONTRAST, LARGEST_CONTRAST), 1),
            torch.where(changed, shift, 0),
        )

    def to(self, device: torch.device) -> Self:
        """The same changes for pictures on a device."""
        parts = (part.to(device) for part in (self.saturation, self.contrast, self.shift))
        return type(self)(*parts)

    def __call__(self, images: Tensor) -> Tensor:
        """Change pictures [N,3,H,W] in [-1,1]; the result may go beyond that range."""
        grey = luminance(images)[:, None]
        saturated = grey + self.saturation * (images - grey)
        mean = saturated.mean(dim=(1, 2, 3), keepdim=True)
        return mean + self.contrast * (saturated - mean) + self.shift
