"""VGG-19 encoders up to conv1_1 .. conv4_1, and decoders that unpool where the encoders pooled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadepis.kernels.convolution import Convolution3x3
from spadepis.kernels.derived import Derived

LEVELS = (4, 3, 2, 1)

# The convolutions up to each level, block by block; a 2x2 max-pooling lies between blocks.
ENCODER_BLOCKS = {
    1: (("conv1_1",),),
    2: (("conv1_1", "conv1_2"), ("conv2_1",)),
    3: (("conv1_1", "conv1_2"), ("conv2_1", "conv2_2"), ("conv3_1",)),
    4: (
        ("conv1_1", "conv1_2"),
        ("conv2_1", "conv2_2"),
        ("conv3_1", "conv3_2", "conv3_3", "conv3_4"),
        ("conv4_1",),
    ),
}


# Relative differences in float64 that are due to rounding; real ones are hardly ever below 1e-7.
ROUNDING = 1e-9


class Pooling(NamedTuple):
    """What a decoder needs in order to undo one max-pooling.

    Attributes:
        indices: positions of the largest values, int64 [N,C,h/2,w/2].
        size: size of the features before the pooling.
    """

    indices: Tensor
    size: torch.Size


class Encoder(nn.Module):
    """Encodes photos as the features after the ReLU of ``conv{level}_1``.

    Args:
        level: 1 to 4.
        widths: output channels by convolution name, ``conv1_1`` to ``conv{level}_1``.
        pooling_tolerance: see ``max_pool``.
    """

    def __init__(
        self, level: int, widths: Mapping[str, int], pooling_tolerance: float = 0.0
    ) -> None:
        super().__init__()
        self.blocks = ENCODER_BLOCKS[level]
        self.pooling_tolerance = pooling_tolerance
        self.conv0 = nn.Conv2d(3, 3, 1)
        self._folded: Derived[tuple[Tensor, Tensor]] = Derived()
        channels = 3
        for name in (name for block in self.blocks for name in block):
            convolution = Convolution3x3(
                channels, widths[name], "reflect", rectify=True, exact_ties=True
            )
            self.add_module(name, convolution)
            channels = widths[name]

    def forward(self, image: Tensor) -> tuple[Tensor, list[Pooling]]:
        """Encode photos [N,3,H,W].

        Returns:
            Features [N,C,h,w], and the poolings before them in order.
        """
        features, poolings = self.forward_levels(image)
        return features[len(self.blocks)], poolings

    def forward_levels(self, image: Tensor) -> tuple[dict[int, Tensor], list[Pooling]]:
        """Encode photos [N,3,H,W] at all levels up to this one.

        Returns:
            Features [N,C,h,w] by level, and the poolings in order. The features of level k are the
            output of ``conv{k}_1`` after the ReLU; k - 1 poolings lie before them.
        """
        x = image
        features: dict[int, Tensor] = {}
        poolings: list[Pooling] = []
        for level, block in enumerate(self.blocks, start=1):
            if level > 1:
                size = x.shape
                x, indices = max_pool(x, self.pooling_tolerance)
                poolings.append(Pooling(indices, size))
            for name in block:
                x = self._convolve(x, name)
                # The level's features are those after the first convolution of its block.
                features.setdefault(level, x)
        return features, poolings

    def _convolve(self, x: Tensor, name: str) -> Tensor:
        convolution = self.get_submodule(name)
        assert isinstance(convolution, Convolution3x3)
        x = x.to(convolution.weight.dtype)
        if name != "conv1_1":
            convolved: Tensor = convolution(x)
            return convolved
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.relu_(F.conv2d(padded, *self._first_convolution(convolution)))

    def _first_convolution(self, conv1_1: Convolution3x3) -> tuple[Tensor, Tensor]:
        """Kernel and bias of ``conv0`` and ``conv1_1`` in one convolution.

        In inference they are kept until the weights change.
        """
        assert self.conv0.bias is not None
        weights = [conv1_1.weight, conv1_1.bias, self.conv0.weight, self.conv0.bias]
        if any(weight.requires_grad or weight.is_inference() for weight in weights):
            return _fold(*weights)
        return self._folded.get(None, weights, lambda: _fold(*weights))


def _fold(kernel: Tensor, bias: Tensor, colours: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a 1x1 convolution with ``colours`` and ``offsets``, then a 3x3 one."""
    dtype = kernel.dtype
    # Products of weights in half precision would be rounded once more.
    wide = torch.promote_types(dtype, torch.float32)
    kernel, bias, colours, offsets = (part.to(wide) for part in (kernel, bias, colours, offsets))
    mixed = torch.einsum("omyx,mi->oiyx", kernel, colours[:, :, 0, 0])
    bias = bias + kernel.sum(dim=(2, 3)) @ offsets
    return mixed.to(dtype), bias.to(dtype)


def max_pool(x: Tensor, tolerance: float = 0.0) -> tuple[Tensor, Tensor]:
    """2x2 max-pooling of features [N,C,H,W] that takes the first of equal values.

    With a tolerance, the position is that of the upper left value unless another one is larger by
    more than the tolerance; the value is the largest in any case. A decoder unpools to these
    positions. Where a pattern too weak to be seen decides about them, its period shows in the
    stylized photo, as strong as the features are, however weak the pattern was.

    Flat areas of photos are full of ties, and a tie that is broken in another way moves features by
    a pixel. In single and half precision, convolutions give pixels with equal neighbourhoods equal
    values. In float64 their matrix products do not, so values that are equal up to rounding count
    as equal.

    Returns:
        The largest values [N,C,H/2,W/2], and their positions in H x W, int64 of the same shape.
    """
    if tolerance:
        raised = x.clone()
        raised[:, :, ::2, ::2] += tolerance
        return F.max_pool2d(x, 2), max_pool(raised)[1]
    if x.dtype != torch.float64:
        return F.max_pool2d(x, 2, return_indices=True)
    height, width = x.shape[2:]
    corners = [
        x[:, :, row : height - 1 + row : 2, column : width - 1 + column : 2]
        for row in (0, 1)
        for column in (0, 1)
    ]
    windows = torch.stack(corners)
    largest = windows.amax(dim=0)
    is_largest = windows >= largest - ROUNDING * largest.abs()
    # The first of equal values, here of truth values.
    corner = is_largest.byte().argmax(dim=0)
    rows = torch.arange(0, height - 1, 2, device=x.device).view(-1, 1) + corner // 2
    columns = torch.arange(0, width - 1, 2, device=x.device) + corner % 2
    indices = rows * width + columns
    values = x.flatten(2).gather(2, indices.flatten(2)).view_as(largest)
    return values, indices


class Decoder(nn.Module):
    """Decodes features of one level to a photo, with max-unpooling (Li et al., section 3.1).

    Args:
        level: 1 to 4.
        widths: output channels of the encoder's convolutions by name; each of the decoder's
            convolutions undoes the one of the same name.
    """

    def __init__(self, level: int, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.blocks = tuple(block[::-1] for block in ENCODER_BLOCKS[level][::-1])
        names = [name for block in ENCODER_BLOCKS[level] for name in block]
        for below, name in zip([None, *names], names, strict=False):
            channels_out = 3 if below is None else widths[below]
            # The last convolution gives colours.
            convolution = Convolution3x3(
                widths[name], channels_out, "reflect", rectify=name != "conv1_1"
            )
            self.add_module(name, convolution)

    def forward(self, features: Tensor, poolings: list[Pooling]) -> Tensor:
        """Decode features [N,C,h,w] to [N,3,H,W].

        Args:
            features: the features of this level.
            poolings: those of the encoder, for N photos or for one that all share.
        """
        x = features
        for depth, block in enumerate(self.blocks):
            if depth > 0:
                indices, size = poolings[-depth]
                indices = indices.expand(len(x), -1, -1, -1)
                x = F.max_unpool2d(x, indices, (2, 2), output_size=list(size[2:]))
            for name in block:
                convolution = self.get_submodule(name)
                assert isinstance(convolution, Convolution3x3)
                x = convolution(x.to(convolution.weight.dtype))
        return x
