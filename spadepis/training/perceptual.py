"""SqueezeNet features, for perceptual losses and for distances between pictures."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.error import URLError
from zipfile import BadZipFile

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import SqueezeNet1_0_Weights, squeezenet1_0

from spadepis.checkpoints.reading import DAMAGE
from spadepis.configuration import ConfigurationError

# Numbered as PhotoWCT's: features of level k have 1/2^(k-1) of the picture's height.
LEVELS = (2, 3, 4, 5)

# Of features: those of a black picture may all be 0.
SMALLEST_UNIT = 1e-3

# The last layer of each level in torchvision's numbering: conv1, fire4, fire8, fire9.
_LAST_LAYERS = (1, 5, 10, 12)
_FIRES = {2: 3, 3: 4, 4: 5, 5: 7, 6: 8, 7: 9, 8: 10, 9: 12}


class PerceptualNetwork(nn.Module):
    """SqueezeNet 1.0 trained on ImageNet (Iandola et al., 2016), up to fire9, with fixed weights.

    The published Caffe and torchvision weights expect different normalizations; both are folded
    into the first convolution, so that this network takes RGB in [0,1].
    """

    def __init__(self, weights: Mapping[str, Tensor], mean: Tensor, std: Tensor) -> None:
        super().__init__()
        layers = squeezenet1_0().features
        layers.load_state_dict(weights)
        first = layers[0]
        # Without padding, normalizing the input is the same as changing weights and bias.
        scaled = first.weight.detach() / std.view(1, 3, 1, 1)
        first.bias.data -= (scaled * mean.view(1, 3, 1, 1)).sum(dim=(1, 2, 3))
        first.weight.data = scaled
        self.layers = layers[: _LAST_LAYERS[-1] + 1].eval().requires_grad_(False)
        self.layers.to(memory_format=torch.channels_last)

    @classmethod
    def from_caffe(cls, path: Path) -> Self:
        """Read the Caffe weights as arrays ``conv1/w``, ``fire2/conv1x1_1/w``, ... in an npz file.

        They expect BGR in 0..255 minus (104, 117, 123).
        """
        names = {"squeeze": "conv1x1_1", "expand1x1": "conv1x1_2", "expand3x3": "conv3x3_2"}
        layers = {"0": "conv1"} | {
            f"{number}.{ours}": f"fire{fire}/{theirs}"
            for fire, number in _FIRES.items()
            for ours, theirs in names.items()
        }
        with np.load(path, allow_pickle=False) as arrays:
            weights = {
                f"{ours}.{kind}": torch.from_numpy(arrays[f"{theirs}/{kind[0]}"])
                for ours, theirs in layers.items()
                for kind in ("weight", "bias")
            }
        weights["0.weight"] = weights["0.weight"].flip(1)
        mean = torch.tensor([123.0, 117.0, 104.0]) / 255
        return cls(weights, mean, torch.full((3,), 1 / 255))

    @classmethod
    def from_torchvision(cls) -> Self:
        """Torchvision's own weights, which it downloads on first use."""
        published = SqueezeNet1_0_Weights.IMAGENET1K_V1.get_state_dict(progress=False)
        prefix = "features."
        weights = {
            key.removeprefix(prefix): tensor
            for key, tensor in published.items()
            if key.startswith(prefix)
        }
        mean = torch.tensor([0.485, 0.456, 0.406])
        return cls(weights, mean, torch.tensor([0.229, 0.224, 0.225]))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of RGB pictures [N,3,H,W] in [0,1] at each of ``LEVELS``."""
        features: list[Tensor] = []
        x = images
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in _LAST_LAYERS:
                features.append(x)
        return features


def perceptual_network(path: Path | None) -> PerceptualNetwork:
    """The network with weights from an npz file, or torchvision's where no path is given.

    Raises:
        ConfigurationError: the file cannot be read or downloaded, or holds other weights.
    """
    if path is None:
        try:
            return PerceptualNetwork.from_torchvision()
        except URLError as error:
            raise ConfigurationError(
                f"SqueezeNet cannot be downloaded ({error.reason}): give --perceptual-weights"
            ) from error
    try:
        return PerceptualNetwork.from_caffe(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (BadZipFile, zlib.error, *DAMAGE) as error:
        raise ConfigurationError(f"{path} does not hold SqueezeNet 1.0's Caffe weights") from error


def perceptual_distance(features: list[Tensor], targets: list[Tensor]) -> Tensor:
    """Mean absolute difference of features, each level in units of its mean activation.

    As Johnson et al. (ECCV 2016) and eq. 8 of Wang et al. (CVPR 2018); the units make the levels
    count alike whatever their scale.
    """
    levels = [
        F.l1_loss(feature, target) / target.abs().mean().clamp(min=SMALLEST_UNIT)
        for feature, target in zip(features, targets, strict=True)
    ]
    return torch.stack(levels).mean()
