"""Random changes of colour, alike in a photo and in the picture generated from its label map.

A discriminator that sees few photos learns them by heart, and a generator that it judges tells
classes by their colours, which stylization takes away. Changes that are applied to real and
generated pictures alike, and that gradients pass through, help against both (Zhao et al.,
*Differentiable augmentation for data-efficient GAN training*, NeurIPS 2020). A part of the pictures
gets the colours of another photo, much as stylization will give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Generator, Tensor

from spadepis.training.spade_losses import luminance

# Shares of the pictures that are left as they are, so that the colours themselves are learned, too,
# and that get the colours of another photo; the others get colours by chance.
UNCHANGED, TRANSFERRED = 0.3, 0.35
# Pictures are in [-1,1].
LARGEST_SHIFT, LARGEST_CAST = 0.4, 0.2
SMALLEST_CONTRAST, LARGEST_CONTRAST = 0.5, 1.3
LARGEST_SATURATION = 1.5
# What is added to the variances of colours before they are whitened, so that weak colours do not
# become glaring.
ADDED_VARIANCE = 0.01


@dataclass(frozen=True)
class Recolouring:
    """One change of colour for each picture of a batch.

    Attributes:
        saturation: factor of the difference from the luminance, [N,1,1,1].
        contrast: factor of the difference from the mean, [N,1,1,1].
        shift: what is then added to each channel, [N,3,1,1].
        matrix: what colours are then multiplied by, [N,3,3].
        offset: what is then added to each channel, [N,3,1].
    """

    saturation: Tensor
    contrast: Tensor
    shift: Tensor
    matrix: Tensor
    offset: Tensor

    @classmethod
    def draw(cls, photos: Tensor, random: Generator) -> Self:
        """Draw a change for each photo of a batch, [N,3,H,W] in [-1,1]."""

        def between(smallest: float, largest: float, channels: int = 1) -> Tensor:
            drawn = torch.rand(len(photos), channels, 1, 1, generator=random)
            return smallest + (largest - smallest) * drawn

        kind = between(0, 1)
        by_chance = kind >= UNCHANGED + TRANSFERRED
        shift = between(-LARGEST_SHIFT, LARGEST_SHIFT) + between(-LARGEST_CAST, LARGEST_CAST, 3)
        # Mostly strong, as stylization is.
        strength = torch.where((kind >= UNCHANGED) & ~by_chance, between(0, 1).sqrt(), 0)[..., 0]
        matrix, offset = transfer_colours(photos, photos.roll(1, 0))
        return cls(
            torch.where(by_chance, between(0, LARGEST_SATURATION), 1),
            torch.where(by_chance, between(SMALLEST_CONTRAST, LARGEST_CONTRAST), 1),
            torch.where(by_chance, shift, 0),
            strength * matrix + (1 - strength) * torch.eye(3),
            strength * offset,
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Change pictures [N,3,H,W] in [-1,1]; the result may go beyond that range."""
        saturation, contrast, shift, matrix, offset = (
            part.to(images.device)
            for part in (self.saturation, self.contrast, self.shift, self.matrix, self.offset)
        )
        grey = luminance(images)[:, None]
        saturated = grey + saturation * (images - grey)
        mean = saturated.mean(dim=(1, 2, 3), keepdim=True)
        changed = mean + contrast * (saturated - mean) + shift
        # Not a product of matrices, which autocast would round to bfloat16.
        return (matrix[..., None, None] * changed[:, None]).sum(dim=2) + offset[..., None]


def transfer_colours(contents: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices [N,3,3] and offsets [N,3,1] that give contents the colours of styles.

    They whiten the colours of the content and give them the covariance and the mean of the style's,
    as PhotoWCT does with features (Li et al., ECCV 2018, eq. 3).

    Args:
        contents: [N,3,H,W].
        styles: [N,3,h,w].
    """
    content_mean, content_roots = _statistics(contents)
    style_mean, style_roots = _statistics(styles)
    matrix = style_roots @ torch.linalg.inv(content_roots)
    return matrix.float(), (style_mean - matrix @ content_mean).float()


def _statistics(photos: Tensor) -> tuple[Tensor, Tensor]:
    """Means [N,3,1] and roots of covariances [N,3,3] of colours."""
    colours = photos.double().flatten(2)
    mean = colours.mean(dim=2, keepdim=True)
    covariance = (colours - mean) @ (colours - mean).mT / colours.shape[2]
    covariance.diagonal(dim1=1, dim2=2).add_(ADDED_VARIANCE)
    variances, axes = torch.linalg.eigh(covariance)
    return mean, axes @ torch.diag_embed(variances.sqrt()) @ axes.mT
