"""Weights of SPADE in the form that takes a GPU the fewest steps.

Label maps are given by the numbers of their neighbourhoods; what does not depend on them is
computed once, in float32, and rounded to the precision of the features at the end.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadepis.spade.modulation import modulate
from spadepis.spade.neighbourhoods import Neighbourhoods


class FoldedConvolution:
    """A 3x3 convolution of one-hot label maps, as a table of rows that are summed.

    Args:
        convolution: its kernel and bias count; neighbourhoods tell what surrounds a label map.
        num_classes: number of classes of the label space; further channels are instance edges.
        dtype: precision of the result.
    """

    def __init__(self, convolution: nn.Conv2d, num_classes: int, dtype: torch.dtype) -> None:
        assert convolution.bias is not None
        weight = convolution.weight.float().flatten(2).permute(2, 1, 0)
        of_classes, of_edges = weight[:, :num_classes], weight[:, num_classes:]
        values = [torch.zeros_like(weight[:, :1]), of_classes]
        if of_edges.shape[1]:
            values.append(of_classes + of_edges)
        table = torch.cat(values, dim=1)
        table[4] += convolution.bias.float()
        # A neighbourhood in the middle of which is no pixel: the hidden activations are 0 there.
        table[4, 0] = -torch.inf
        self.table = table.flatten(0, 1).to(dtype)

    def __call__(self, neighbourhoods: Neighbourhoods) -> Tensor:
        """The result at each distinct 3x3 neighbourhood, [U,K]."""
        rows, offsets = neighbourhoods.rows_3x3.flatten(), neighbourhoods.offsets_3x3
        return F.embedding_bag(rows, self.table, offsets, mode="sum")


class FoldedNormalization:
    """A SPADE outside training, with batch norm folded into its second convolution.

    Args:
        first: the convolution of the semantic map.
        second: kernel [2C,K,3,3] and bias [2C] of scale and shift.
        norm: the batch norm of the features, whose running statistics are folded.
        negative_slope: slope of the leaky ReLU that follows; 1 for none.
        num_classes: number of classes of the label space.
        dtype: precision of the features.
    """

    def __init__(
        self,
        first: nn.Conv2d,
        second: tuple[Tensor, Tensor],
        norm: nn.BatchNorm2d,
        negative_slope: float,
        num_classes: int,
        dtype: torch.dtype,
    ) -> None:
        mean, variance = norm.running_mean, norm.running_var
        assert mean is not None and variance is not None
        inverse = torch.rsqrt(variance.float() + norm.eps)
        kernel, bias = (_fold(part.float(), mean.float(), inverse) for part in second)
        # The middle position is that of the pixel itself, which has the bias.
        biases = torch.zeros(9, len(bias), device=bias.device)
        biases[4] = bias
        self.first = FoldedConvolution(first, num_classes, dtype)
        self.kernel = kernel.to(dtype, memory_format=torch.channels_last)
        self.bias = bias.to(dtype)
        self.kernel_rows = kernel.permute(2, 3, 0, 1).flatten(0, 2).to(dtype)
        self.bias_rows = biases.flatten().to(dtype)
        self.negative_slope = negative_slope

    def __call__(self, features: Tensor, neighbourhoods: Neighbourhoods) -> Tensor:
        """Modulate features [N,C,h,w], as ``SpadeNormalization`` does."""
        hidden = F.relu_(self.first(neighbourhoods))
        if neighbourhoods.index_5x5 is None:
            pixels = F.embedding(neighbourhoods.index_3x3, hidden)
            convolved = convolve_densely(pixels, self.kernel, self.bias, neighbourhoods.replicated)
            modulation = convolved.permute(0, 2, 3, 1).flatten(0, 2)
        else:
            assert neighbourhoods.rows_5x5 is not None
            products = F.linear(hidden, self.kernel_rows, self.bias_rows)
            rows, offsets = neighbourhoods.rows_5x5.flatten(), neighbourhoods.offsets_5x5
            modulation = F.embedding_bag(
                rows, products.view(-1, len(self.bias)), offsets, mode="sum"
            )
        return modulate(features, modulation, neighbourhoods.index_5x5, self.negative_slope)


def convolve_densely(pixels: Tensor, kernel: Tensor, bias: Tensor, replicate: bool) -> Tensor:
    """Convolve pixels [N,h,w,K] to [N,M,h,w], surrounded by their border or by zeros."""
    planes = pixels.permute(0, 3, 1, 2)
    if replicate:
        return F.conv2d(F.pad(planes, (1, 1, 1, 1), mode="replicate"), kernel, bias)
    return F.conv2d(planes, kernel, bias, padding=1)


def _fold(second: Tensor, mean: Tensor, inverse: Tensor) -> Tensor:
    """Scale and shift [2C,...] of features that are not normalized yet."""
    scale, shift = second.chunk(2)
    shape = (-1,) + (1,) * (second.ndim - 1)
    scale = scale * inverse.view(shape)
    return torch.cat([scale, shift - scale * mean.view(shape)])
