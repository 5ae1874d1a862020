"""3x3 and 1x1 convolutions in the forms that are fastest on the device at hand."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadepis.kernels import onednn, winograd
from spadepis.kernels.derived import Derived
from spadepis.kernels.winograd_tiles import CHUNK, TILE

# With fewer tiles than this, reading the transformed kernel takes longer than what is saved.
FEWEST_TILES = 32
# The transformed kernel between more channels takes more than 75 MB.
MOST_CHANNEL_PAIRS = 2**19


class Convolution3x3(nn.Conv2d):
    """3x3 convolution that keeps the size of the features, by Winograd's method where that pays.

    It pays for wide kernels in float32 on one thread of a CPU, in inference. There the kernel is
    transformed at its first use and kept until it changes; rounding errors are then about twice
    those of direct convolution.

    Args:
        channels_in: channels of the features.
        channels_out: channels of the result.
        padding: what surrounds the features: their mirror image, or zeros.
        rectify: whether a ReLU follows.
        exact_ties: whether adjacent pixels with equal neighbourhoods must have equal results, as
            they have in direct convolution. Max-pooling chooses between them.
    """

    padding_mode: Literal["reflect", "zeros"]
    bias: nn.Parameter

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        padding: Literal["reflect", "zeros"],
        rectify: bool = False,
        exact_ties: bool = False,
    ) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1, padding_mode=padding)
        self.rectify = rectify
        self.exact_ties = exact_ties
        self._transformed: Derived[Tensor] = Derived()

    def forward(self, x: Tensor) -> Tensor:
        """Convolve features [N,C,H,W], of the dtype of the kernel.

        Features with a side of 1 have no mirror image: they are surrounded by their own border.

        Returns:
            [N,O,H,W].
        """
        if self._winograd_pays(x):
            kernel = self.weight
            transformed = self._transformed.get(
                None, [kernel], lambda: winograd.transform_kernel(kernel)
            )
            options = self.padding_mode, self.rectify, self.exact_ties
            return winograd.convolve(x, transformed, self.bias, *options)
        if self.weight.requires_grad:
            # Not every optimizer tells that it changes the kernel.
            self._transformed.clear()
        if self.padding_mode == "reflect" and 1 in x.shape[2:]:
            padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
            convolved = F.conv2d(padded, self.weight, self.bias)
        else:
            convolved = super().forward(x)
        return F.relu_(convolved) if self.rectify else convolved

    def _winograd_pays(self, x: Tensor) -> bool:
        widths = self.out_channels, self.in_channels
        return (
            x.device.type == "cpu"
            and x.dtype == self.weight.dtype == torch.float32
            and all(width % CHUNK == 0 for width in widths)
            and widths[0] * widths[1] <= MOST_CHANNEL_PAIRS
            and x.shape[2] * x.shape[3] >= FEWEST_TILES * TILE**2
            # The transforms run on one thread.
            and torch.get_num_threads() == 1
            and not (self.weight.requires_grad or self.bias.requires_grad or x.requires_grad)
            # How a tensor tells that it changed; those made in inference mode do not.
            and hasattr(Tensor, "_version")
            and not self.weight.is_inference()
            and onednn.is_available()
        )


def convolve_1x1(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve features [N,C,H,W] with a 1x1 kernel [O,C,1,1] and, optionally, a bias [O].

    On one thread of a CPU PyTorch takes oneDNN's kernel, faster by a factor of 2 on AVX-512, only
    if there is a dilation; a 1x1 kernel does not notice it.
    """
    return F.conv2d(x, weight, bias, dilation=2 if x.device.type == "cpu" else 1)
