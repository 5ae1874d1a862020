"""PhotoWCT pair by pair, with singular value decompositions, as published."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.photowct.network import ENCODER_BLOCKS, LEVELS

SMALLEST_SINGULAR_VALUE = 1e-5


def stylize_pair(weights: Mapping[str, Tensor], content: Tensor, style: Tensor) -> Tensor:
    """Stylize a photo with another; without regions.

    Li et al., "A Closed-form Solution to Photorealistic Image Stylization", ECCV 2018, section 3.1.

    Args:
        weights: under the published keys.
        content: [1,3,H,W] in [0,1].
        style: [1,3,h,w] in [0,1].

    Returns:
        [1,3,H,W], not clipped.
    """
    style_features, _ = _encode(weights, 4, style)
    image = content
    for level in LEVELS:
        features, poolings = _encode(weights, level, image)
        transferred = _transfer(features[level], style_features[level])
        image = _decode(weights, level, transferred, poolings)
    return image


def _encode(
    weights: Mapping[str, Tensor], level: int, image: Tensor
) -> tuple[dict[int, Tensor], list[tuple[Tensor, torch.Size]]]:
    """Features after the first convolution of each block, and the poolings on the way."""
    x = F.conv2d(image, weights[f"e{level}.conv0.weight"], weights[f"e{level}.conv0.bias"])
    features: dict[int, Tensor] = {}
    poolings: list[tuple[Tensor, torch.Size]] = []
    for depth, block in enumerate(ENCODER_BLOCKS[level], start=1):
        if depth > 1:
            size = x.shape
            x, indices = F.max_pool2d(x, 2, return_indices=True)
            poolings.append((indices, size))
        for name in block:
            x = F.relu(_convolve(weights, f"e{level}.{name}", x))
            features.setdefault(depth, x)
    return features, poolings


def _decode(
    weights: Mapping[str, Tensor],
    level: int,
    features: Tensor,
    poolings: list[tuple[Tensor, torch.Size]],
) -> Tensor:
    x = features
    names = [block[::-1] for block in ENCODER_BLOCKS[level][::-1]]
    for depth, block in enumerate(names):
        if depth > 0:
            indices, size = poolings[-depth]
            x = F.max_unpool2d(x, indices, (2, 2), output_size=list(size))
        for name in block:
            x = _convolve(weights, f"d{level}.{name}", x)
            if name != "conv1_1":
                x = F.relu(x)
    return x


def _convolve(weights: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return F.conv2d(padded, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _transfer(content: Tensor, style: Tensor) -> Tensor:
    """Whiten features [1,C,h,w] and colour them with the statistics of others."""
    _, whitening, centred = _root(content[0].flatten(1), added=1.0, power=-0.5)
    mean, colouring, _ = _root(style[0].flatten(1), added=0.0, power=0.5)
    return (colouring @ (whitening @ centred) + mean).view_as(content)


def _root(features: Tensor, added: float, power: float) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [C,1], power of the covariance plus ``added`` Id [C,C], and centred features [C,n]."""
    mean = features.mean(dim=1, keepdim=True)
    centred = features - mean
    identity = torch.eye(len(features), dtype=features.dtype, device=features.device)
    covariance = centred @ centred.T / (features.shape[1] - 1) + added * identity
    _, values, vectors = torch.linalg.svd(covariance)
    kept = values >= SMALLEST_SINGULAR_VALUE
    vectors = vectors[kept].T
    return mean, (vectors * values[kept] ** power) @ vectors.T, centred
