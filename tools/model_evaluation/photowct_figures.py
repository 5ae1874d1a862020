"""How good a PhotoWCT is, in figures, on photos it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from torchvision.transforms.v2 import functional as transforms

from spadepis.photowct import PhotoWCT
from spadepis.smoothing import smooth
from spadepis.training.perceptual import LEVELS, PerceptualNetwork
from tools.model_evaluation.frechet import as_vectors, frechet_distance


@dataclass(frozen=True)
class Distances:
    """Of pictures from a style and from the content, means over pairs.

    Attributes:
        frechet: squared Fréchet distance to the style in SqueezeNet's features, by level.
        structure: SSIM of luminance edges with the content.
    """

    frechet: dict[int, float]
    structure: float


def self_reconstruction(network: PhotoWCT, photos: Sequence[Tensor]) -> float:
    """Mean PSNR in dB of photos [3,H,W] in [0,1] stylized with themselves as the style."""
    values = []
    for photo in photos:
        stylized = network.stylize(photo, [network.encode_style(photo)])[0].clamp(0, 1)
        values.append(float(peak_signal_noise_ratio(stylized, photo, data_range=1.0)))
    return float(np.mean(values))


def stylization_distances(
    network: PhotoWCT,
    perceptual: PerceptualNetwork,
    contents: Sequence[Tensor],
    styles: Sequence[Tensor],
) -> dict[str, Distances]:
    """Distances of contents, stylized and smoothed pictures from style and content.

    Args:
        network: the PhotoWCT.
        perceptual: gives the features that are compared.
        contents: photos [3,H,W] in [0,1].
        styles: as many photos; each is the style of the content at the same place.
    """
    measured: dict[str, list[Distances]] = {"content": [], "stylized": [], "smoothed": []}
    for content, style in zip(contents, styles, strict=True):
        stylized, smoothed = stylize_and_smooth(network, content, style)
        pictures = {"content": content, "stylized": stylized, "smoothed": smoothed}
        for name, picture in pictures.items():
            measured[name].append(distances(perceptual, picture, content, style))
    return {name: mean_distances(values) for name, values in measured.items()}


def stylize_and_smooth(network: PhotoWCT, content: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """The content [3,H,W] in [0,1] in the look of the style, before and after smoothing."""
    stylized = network.stylize(content, [network.encode_style(style)])[0].clamp(0, 1)
    return stylized, smooth_picture(content, stylized)


def smooth_picture(content: Tensor, stylized: Tensor) -> Tensor:
    """The stylized content after smoothing; all are [3,H,W] in [0,1]."""
    smoothed = smooth(_channels_last(content), _channels_last(stylized))
    return torch.from_numpy(smoothed).permute(2, 0, 1).float()


def luminance_edges(image: Tensor) -> Tensor:
    """Magnitude of the Sobel gradient of the luminance of [3,H,W] in [0,1], as [1,1,H,W]."""
    luminance = transforms.rgb_to_grayscale(image)
    sobel = image.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 4
    kernels = torch.stack([sobel, sobel.T]).unsqueeze(1)
    padded = torch.nn.functional.pad(luminance[None], (1, 1, 1, 1), mode="replicate")
    gradient: Tensor = torch.nn.functional.conv2d(padded, kernels)
    magnitude: Tensor = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    return magnitude


def distances(
    perceptual: PerceptualNetwork, picture: Tensor, content: Tensor, style: Tensor
) -> Distances:
    """Distances of one picture from its content and style; all are [3,H,W] in [0,1]."""
    of_picture, of_style = perceptual(picture[None]), perceptual(style[None])
    frechet = {
        level: frechet_distance(as_vectors(ours), as_vectors(theirs))
        for level, ours, theirs in zip(LEVELS, of_picture, of_style, strict=True)
    }
    similarity = structural_similarity_index_measure(
        luminance_edges(picture), luminance_edges(content), data_range=1.0
    )
    assert isinstance(similarity, Tensor)
    return Distances(frechet, float(similarity))


def mean_distances(pictures: Sequence[Distances]) -> Distances:
    """The means over pictures."""
    frechet = {
        level: float(np.mean([picture.frechet[level] for picture in pictures])) for level in LEVELS
    }
    return Distances(frechet, float(np.mean([picture.structure for picture in pictures])))


def _channels_last(image: Tensor) -> NDArray[np.float32]:
    channels_last: NDArray[np.float32] = image.permute(1, 2, 0).numpy()
    return channels_last
