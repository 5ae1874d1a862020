"""PCA-KD, the distilled photorealistic style transfer that PhotoWCT is compared with.

Chiu and Gurari, "PCA-based Knowledge Distillation Towards Lightweight and Content-Style Balanced
Photorealistic Style Transfer Models", CVPR 2022. One encoder and one decoder of four blocks each,
distilled from VGG-19 or MobileNet: the features take the statistics of the style before each block
of the decoder. Unlike in PhotoWCT, nothing is encoded again between levels, and what the decoder
restores details from are the encoder's features minus their local means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Block:
    """A block of the encoder, and the block of the decoder that undoes it.

    Attributes:
        encoder: from the features of the level above to those of this level.
        decoder: back to the size of the level above.
        last: the decoder's last convolution, after details were added.
    """

    encoder: nn.Module
    decoder: nn.Module
    last: nn.Module


class PcaKd:
    """Encoder and decoder with published weights.

    Args:
        blocks: from the picture down to the smallest features.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the weights as arrays ``sencoder/...`` and ``sdecoder/...`` in an npz file.

        Their names tell which of the two networks they belong to.
        """
        with np.load(path, allow_pickle=False) as arrays:
            weights = dict(arrays)
        of_mobilenet = any(key.startswith("sencoder/se_model/") for key in weights)
        return cls(_mobilenet_blocks(weights) if of_mobilenet else _vgg_blocks(weights))

    @torch.no_grad()
    def stylize(self, content: Tensor, style: Tensor) -> Tensor:
        """Give a photo the look of another.

        Args:
            content: [3,H,W] in [0,1], sides multiples of 16.
            style: [3,h,w] in [0,1].

        Returns:
            [3,H,W], not clipped to [0,1].
        """
        of_style, _ = self._encode(style[None])
        of_content, details = self._encode(content[None])
        x = of_content[-1]
        for number in reversed(range(len(self._blocks))):
            block = self._blocks[number]
            x = block.decoder(transfer(x, of_style[number]))
            # The picture's details stand beside the features, those of features are added to them.
            x = torch.cat([x, details[0]], dim=1) if number == 0 else x + details[number]
            x = block.last(x)
        return x[0]

    def _encode(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The features after each block, and what is lost in it: its input minus local means."""
        features, details = [], []
        x = image
        for block in self._blocks:
            # Here the border pixels themselves are repeated.
            means = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
            details.append(x - means)
            x = block.encoder(x)
            features.append(x)
        return features, details


def transfer(content: Tensor, style: Tensor) -> Tensor:
    """Features [1,C,h,w] of the content with the mean and covariance of those of the style.

    As in the published code the identity is added to both covariances.
    """
    mean, covariance = _mean_and_covariance(content)
    style_mean, style_covariance = _mean_and_covariance(style)
    matrix = _power(style_covariance, 0.5) @ _power(covariance, -0.5)
    return (matrix @ (content[0].flatten(1) - mean) + style_mean).view_as(content)


def _mean_and_covariance(features: Tensor) -> tuple[Tensor, Tensor]:
    vectors = features[0].flatten(1)
    mean = vectors.mean(dim=1, keepdim=True)
    centred = vectors - mean
    return mean, centred @ centred.T / vectors.shape[1]


def _power(covariance: Tensor, exponent: float) -> Tensor:
    """A power of a covariance [C,C] plus the identity."""
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance + torch.eye(len(covariance)))
    power: Tensor = (eigenvectors * eigenvalues.clamp(min=1) ** exponent) @ eigenvectors.T
    return power


def _vgg_blocks(weights: Weights) -> list[Block]:
    blocks = []
    for number, before_pooling in enumerate((0, 1, 1, 3)):
        encoder = f"sencoder/btnecks/{number}/layer_with_weights-"
        decoder = f"sdecoder/btnecks/{number}/layer_with_weights-"
        if number == 0:
            # The first convolution, of 1x1, normalizes the picture.
            first = nn.Sequential(
                _convolution(weights, f"{encoder}0"), _step(weights, f"{encoder}1")
            )
            blocks.append(Block(first, nn.Identity(), _convolution(weights, f"{decoder}0")))
            continue
        steps: list[nn.Module] = [
            _step(weights, f"{encoder}{layer}") for layer in range(before_pooling + 1)
        ]
        steps.insert(before_pooling, nn.MaxPool2d(2))
        back: list[nn.Module] = [
            _step(weights, f"{decoder}{layer}") for layer in range(before_pooling)
        ]
        back.insert(1, _doubling())
        last = _step(weights, f"{decoder}{before_pooling}")
        blocks.append(Block(nn.Sequential(*steps), nn.Sequential(*back), last))
    return blocks


def _mobilenet_blocks(weights: Weights) -> list[Block]:
    blocks = []
    # Each block ends with a convolution of stride 2.
    for number, layers in enumerate((range(1), range(1, 4), range(4, 8), range(8, 12))):
        steps = [
            _step(
                weights, f"sencoder/se_model/layer_with_weights-{layer}", halve=layer == layers[-1]
            )
            for layer in layers
        ]
        decoder = f"sdecoder/btnecks/{number}/layer_with_weights-"
        if number == 0:
            first = nn.Sequential(_Normalized(), *steps)
            blocks.append(Block(first, _doubling(), _convolution(weights, f"{decoder}0")))
            continue
        back = nn.Sequential(_doubling(), _step(weights, f"{decoder}0"))
        blocks.append(Block(nn.Sequential(*steps), back, _step(weights, f"{decoder}1")))
    return blocks


class _Normalized(nn.Module):
    """From [0,1] to [-1,1], which MobileNet takes."""

    def forward(self, image: Tensor) -> Tensor:
        return 2 * image - 1


def _doubling() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)


def _step(weights: Weights, name: str, halve: bool = False) -> nn.Sequential:
    """A convolution and a ReLU; with stride 2 it is padded at the right and at the bottom only."""
    if not halve:
        return nn.Sequential(_convolution(weights, name), nn.ReLU())
    strided = _convolution(weights, name, stride=2, padding=0)
    return nn.Sequential(nn.ReflectionPad2d((0, 1, 0, 1)), strided, nn.ReLU())


def _convolution(
    weights: Weights, name: str, stride: int = 1, padding: int | str = "same"
) -> nn.Conv2d:
    """A convolution from its TensorFlow kernel, where padded, by reflection."""
    depthwise = f"{name}/depthwise_kernel" in weights
    if depthwise:
        # [h,w,channels,1]: each channel has a kernel of its own.
        kernel = torch.from_numpy(weights[f"{name}/depthwise_kernel"]).permute(2, 3, 0, 1)
    else:
        kernel = torch.from_numpy(weights[f"{name}/kernel"]).permute(3, 2, 0, 1)
    channels_out, channels_in, side, _ = kernel.shape
    groups = channels_out if depthwise else 1
    convolution = nn.Conv2d(
        channels_in * groups,
        channels_out,
        side,
        stride,
        padding,
        groups=groups,
        padding_mode="reflect",
    )
    bias = torch.from_numpy(weights[f"{name}/bias"])
    convolution.load_state_dict({"weight": kernel.contiguous(), "bias": bias})
    return convolution
