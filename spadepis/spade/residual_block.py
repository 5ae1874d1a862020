"""The residual block of the SPADE generator."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from spadepis.kernels.convolution import Convolution3x3, convolve_1x1
from spadepis.spade.normalization import SpadeNormalization
from spadepis.spade.semantic_map import SemanticMap

# The slope of every leaky ReLU.
NEGATIVE_SLOPE = 0.2

# What surrounds features in a 3x3 convolution: zeros in the published networks.
Padding = Literal["reflect", "zeros"]


class SpadeResidualBlock(nn.Module):
    """Residual block with SPADE before each convolution (Park et al., fig. 4 and appendix A).

    Args:
        channels_in: channels of the features.
        channels_out: channels of the result.
        semantic_channels: channels of the semantic map.
        hidden_width: channels inside each SPADE.
        padding: padding of the 3x3 convolutions.
        noise: whether noise is added to the features first, with a learned strength for each
            channel (Karras et al., CVPR 2019, section 3.2). The strength is in units of the
            channel's running standard deviation.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        semantic_channels: int,
        hidden_width: int,
        padding: Padding,
        noise: bool,
    ) -> None:
        super().__init__()
        channels_middle = min(channels_in, channels_out)
        self.conv_0 = Convolution3x3(channels_in, channels_middle, padding)
        self.conv_1 = Convolution3x3(channels_middle, channels_out, padding)
        semantics = semantic_channels, hidden_width
        self.norm_0 = SpadeNormalization(channels_in, *semantics, NEGATIVE_SLOPE)
        self.norm_1 = SpadeNormalization(channels_middle, *semantics, NEGATIVE_SLOPE)
        self.learned_shortcut = channels_in != channels_out
        if self.learned_shortcut:
            self.conv_s = nn.Conv2d(channels_in, channels_out, 1, bias=False)
            self.norm_s = SpadeNormalization(channels_in, *semantics, 1)
        self.noise_strength = nn.Parameter(torch.zeros(channels_in)) if noise else None

    def forward(self, x: Tensor, semantics: SemanticMap, noise: Tensor | None = None) -> Tensor:
        """Transform features [N,C,h,w] into features [N,C',h,w] of the block's output channels.

        Args:
            x: the features.
            semantics: the label maps.
            noise: maps of variance 1, [N,M,h,w], for a block that adds noise. Channel c adds map
                c modulo M.
        """
        if noise is not None:
            x = self._add_noise(x, noise)
        shortcut = x
        if self.learned_shortcut:
            shortcut = convolve_1x1(self.norm_s(x, semantics), self.conv_s.weight)
        residual = self.conv_0(self.norm_0(x, semantics))
        residual = self.conv_1(self.norm_1(residual, semantics))
        output: Tensor = shortcut + residual
        return output

    def _add_noise(self, x: Tensor, noise: Tensor) -> Tensor:
        variance = self.norm_0.param_free_norm.running_var
        assert self.noise_strength is not None and variance is not None
        strength = (self.noise_strength * variance.sqrt()).to(x.dtype)
        channels, maps = x.shape[1], noise.shape[1]
        if channels % maps:
            noise = noise.repeat(1, channels // maps + 1, 1, 1)[:, :channels]
            maps = channels
        # Channels in groups of one channel for each map.
        grouped = x.view(len(x), -1, maps, *x.shape[2:])
        added = torch.addcmul(
            grouped, strength.view(1, -1, maps, 1, 1), noise.to(x.dtype).unsqueeze(1)
        )
        return added.flatten(1, 2)
