"""The networks to measure: from checkpoints, or with random weights of the published widths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadepis.checkpoints.loading import load_weights
from spadepis.labels import LabelSpace
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import ENCODER_BLOCKS, LEVELS
from spadepis.pipeline.stages.stylize import half_precision
from spadepis.spade import SpadeGenerator
from tools.benchmark.config import BenchmarkConfig

# Channels of the convolutions of each block of VGG-19.
VGG_WIDTHS: Final[Mapping[str, int]] = {"conv1": 64, "conv2": 128, "conv3": 256, "conv4": 512}

# Of the last convolution's random weights, so that few pixels saturate.
SPADE_CONTRAST = 0.15
# Mean and standard deviation of a photo's channels.
BRIGHTNESS, CONTRAST = 0.5, 0.2


@dataclass(frozen=True)
class Networks:
    """The two networks, and their weights for the plain forms.

    Attributes:
        spade: the generator, in evaluation mode.
        photowct: the network, in evaluation mode.
        spade_weights: state dict of the generator in float32, spectral norm folded, in the layout
            that PyTorch has by default.
        photowct_weights: the same of PhotoWCT.
    """

    spade: SpadeGenerator
    photowct: PhotoWCT
    spade_weights: Mapping[str, Tensor]
    photowct_weights: Mapping[str, Tensor]


def load_networks(config: BenchmarkConfig) -> Networks:
    """Read the given checkpoints, and make up random weights for the others.

    Raises:
        CheckpointError: a file is not a checkpoint, or does not fit the label space.
    """
    if config.spade_checkpoint is None:
        spade = random_spade(config.space, config.seed, config.device)
    else:
        spade = SpadeGenerator.from_checkpoint(config.spade_checkpoint, config.space, config.device)
    if config.photowct_checkpoint is None:
        photowct = random_photowct(config.seed, config.device)
    else:
        photowct = PhotoWCT.from_checkpoint(config.photowct_checkpoint, config.device)
    weights = [
        {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
        for network in (spade, photowct)
    ]
    if config.precision == "half":
        spade.bfloat16()
        photowct.reduce_precision(half_precision(config.device))
    return Networks(spade, photowct, *weights)


def random_spade(label_space: LabelSpace, seed: int, device: str) -> SpadeGenerator:
    """A generator of the published widths with random weights."""
    with torch.device("meta"):
        generator = SpadeGenerator(label_space)
    weights = _random_weights(generator, seed)
    load_weights(generator, weights, "(random)", "the benchmark", device, torch.float32)
    _set_batch_norm(generator, seed)
    generator.conv_img.weight.mul_(SPADE_CONTRAST)
    return generator


def random_photowct(seed: int, device: str) -> PhotoWCT:
    """A PhotoWCT of the published widths, those of VGG-19, with random weights."""
    widths = {
        level: {
            name: VGG_WIDTHS[name.partition("_")[0]]
            for block in ENCODER_BLOCKS[level]
            for name in block
        }
        for level in LEVELS
    }
    with torch.device("meta"):
        network = PhotoWCT(widths)
    weights = _random_weights(network, seed)
    load_weights(network, weights, "(random)", "the benchmark", device, torch.float32)
    _set_range(network, seed)
    return network


def _set_batch_norm(generator: SpadeGenerator, seed: int) -> None:
    """Give a generator the running statistics of its own features, as training does."""
    space = generator.label_space
    random = torch.Generator().manual_seed(seed)
    coarse = torch.randint(space.num_classes, (2, 8, 8), generator=random)
    labels = coarse.repeat_interleave(16, 1).repeat_interleave(16, 2)
    layers = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm2d)]
    momentum = layers[0].momentum
    generator.train()
    for layer in layers:
        layer.momentum = 1.0
    generator(labels)
    for layer in layers:
        layer.momentum = momentum
    generator.eval()


def _set_range(network: PhotoWCT, seed: int) -> None:
    """Scale the last convolution so that what comes out is in the range of photos."""
    random = torch.Generator().manual_seed(seed)
    photo = F.interpolate(torch.rand(1, 3, 16, 16, generator=random), scale_factor=8)[0]
    stylized = network.stylize(photo, [network.encode_style(photo.flip(0))])[0]
    last = network.get_submodule("d1.conv1_1")
    assert isinstance(last, nn.Conv2d) and last.bias is not None
    mean, scale = stylized.mean((1, 2)), CONTRAST / stylized.std((1, 2))
    last.weight.mul_(scale.view(3, 1, 1, 1))
    last.bias.sub_(mean).mul_(scale).add_(BRIGHTNESS)


def _random_weights(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """A state dict whose convolutions and normalizations keep the scale of features."""
    generator = np.random.default_rng(seed)
    weights: dict[str, Tensor] = {}
    for key, expected in network.state_dict().items():
        kind, shape = key.rpartition(".")[2], tuple(expected.shape)
        if kind == "num_batches_tracked":
            weights[key] = torch.zeros((), dtype=torch.int64)
        elif kind == "running_var":
            weights[key] = torch.from_numpy(generator.uniform(0.5, 1.5, shape)).float()
        else:
            scale = np.sqrt(2 / np.prod(shape[1:])) if kind == "weight" else 0.1
            values = generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)
            weights[key] = torch.from_numpy(values)
    return weights
