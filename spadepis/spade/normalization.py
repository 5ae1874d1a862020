"""Spatially-adaptive (de)normalization, computed once for pixels with equal neighbourhoods."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadepis.kernels.convolution import convolve_1x1
from spadepis.kernels.derived import Derived
from spadepis.spade.folding import FoldedNormalization, convolve_densely
from spadepis.spade.neighbourhoods import Neighbourhoods
from spadepis.spade.semantic_map import SemanticMap

# On a CPU, so many scales and shifts are gathered at a time: they stay in the cache of a core.
GATHERED_ON_CPU = 2**18


class SpadeNormalization(nn.Module):
    """Normalization whose scale and shift vary over the image with the semantic map.

    Park et al., eq. 1-3: ``gamma(s) * (x - mu) / sigma + beta(s)``, where the published networks
    learn ``gamma - 1``, and gamma and beta come from two stacked 3x3 convolutions of the map. A
    leaky ReLU follows.

    Args:
        channels: channels of the features, C.
        semantic_channels: channels of the semantic map, S.
        hidden_width: channels between the two convolutions, K; 128 in the published networks.
        negative_slope: slope of the leaky ReLU that follows; 1 for none.
    """

    def __init__(
        self, channels: int, semantic_channels: int, hidden_width: int, negative_slope: float
    ) -> None:
        super().__init__()
        self.channels = channels
        self.negative_slope = negative_slope
        self._folded: Derived[FoldedNormalization] = Derived()
        self.param_free_norm = nn.BatchNorm2d(channels, affine=False)
        # Their weights are applied to neighbourhoods, which tell what surrounds the map.
        self.mlp_shared = nn.Sequential(
            nn.Conv2d(semantic_channels, hidden_width, 3, padding=1), nn.ReLU()
        )
        self.mlp_gamma = nn.Conv2d(hidden_width, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden_width, channels, 3, padding=1)

    def forward(self, features: Tensor, semantic_map: SemanticMap) -> Tensor:
        """Modulate features [N,C,h,w] by the map, which is shrunk to h x w."""
        neighbourhoods = semantic_map.neighbourhoods(features.shape[2])
        if self._folds(features):
            folded = self._fold(features.dtype, neighbourhoods.num_classes)
            return folded(features, neighbourhoods)
        if neighbourhoods.index_5x5 is None:
            return self.modulate_densely(features, neighbourhoods)
        return self.modulate_by_neighbourhood(features, neighbourhoods)

    def _folds(self, features: Tensor) -> bool:
        return (
            features.device.type != "cpu"
            and not self.training
            and not (features.requires_grad or self.mlp_gamma.weight.requires_grad)
        )

    def _fold(self, dtype: torch.dtype, num_classes: int) -> FoldedNormalization:
        """The weights as a GPU takes them."""

        def fold() -> FoldedNormalization:
            first, second = self.mlp_shared[0], self._second_convolution()
            assert isinstance(first, nn.Conv2d)
            options = self.negative_slope, num_classes, dtype
            return FoldedNormalization(first, second, self.param_free_norm, *options)

        return self._folded.get(dtype, [*self.parameters(), *self.buffers()], fold)

    def modulate_densely(self, features: Tensor, neighbourhoods: Neighbourhoods) -> Tensor:
        """Modulate features [N,C,h,w] with the second convolution done at every pixel.

        The first one, of a one-hot map, is still done once for each distinct 3x3 neighbourhood.
        """
        hidden = F.embedding(neighbourhoods.index_3x3, self._hidden(neighbourhoods))
        kernel, bias = self._second_convolution()
        modulation = convolve_densely(hidden, kernel, bias, neighbourhoods.replicated)
        scale, shift = self._with_batch_norm(modulation.permute(0, 2, 3, 1))
        modulated = torch.addcmul(shift, scale, self._pixels(features))
        return self._activate(modulated).permute(0, 3, 1, 2)

    def modulate_by_neighbourhood(self, features: Tensor, neighbourhoods: Neighbourhoods) -> Tensor:
        """The same, with each distinct 5x5 neighbourhood computed once.

        Its scale and shift are a sum over the 9 positions of the second convolution's kernel.
        What one position contributes depends on a 3x3 neighbourhood alone, of which still fewer
        are distinct: so the products are taken for those, and their rows are summed.
        """
        rows, index = neighbourhoods.rows_5x5, neighbourhoods.index_5x5
        assert rows is not None and index is not None
        kernel, bias = self._second_convolution()
        products = _multiply(self._hidden(neighbourhoods), kernel.permute(2, 3, 0, 1).flatten(0, 2))
        summed = F.embedding_bag(rows, products.view(-1, len(kernel)), mode="sum")
        # Under autocast the bias is more precise than the products.
        modulation = summed + bias.to(summed.dtype)
        pixels = self._pixels(features)
        if modulation.requires_grad or pixels.requires_grad:
            scale, shift = self._with_batch_norm(F.embedding(index, modulation))
            modulated = self._activate(torch.addcmul(shift, scale, pixels))
        else:
            modulated = self._modulate_in_parts(pixels, *self._with_batch_norm(modulation), index)
        return modulated.permute(0, 3, 1, 2)

    def _modulate_in_parts(
        self, pixels: Tensor, scale: Tensor, shift: Tensor, index: Tensor
    ) -> Tensor:
        """Scale and shift pixels [N,h,w,C] by the rows of scale and shift, both [V,C], at an index.

        In parts on a CPU, so that what is gathered never leaves the cache.
        """
        flat = pixels.reshape(-1, self.channels)
        modulated = torch.empty_like(flat)
        gathered = GATHERED_ON_CPU if flat.device.type == "cpu" else flat.numel()
        at_once = max(1, gathered // self.channels)
        tensors = (flat, index.flatten(), modulated)
        for part, rows, result in zip(*(torch.split(t, at_once) for t in tensors), strict=True):
            # Embedding gathers rows several times faster than indexing does.
            torch.addcmul(F.embedding(rows, shift), F.embedding(rows, scale), part, out=result)
            self._activate(result)
        return modulated.view(pixels.shape)

    def _activate(self, modulated: Tensor) -> Tensor:
        if self.negative_slope == 1:
            return modulated
        return F.leaky_relu_(modulated, self.negative_slope)

    def _pixels(self, features: Tensor) -> Tensor:
        """The features as [N,h,w,C], in training normalized with the statistics of the batch."""
        if self.training:
            features = self.param_free_norm(features)
        return features.permute(0, 2, 3, 1)

    def _second_convolution(self) -> tuple[Tensor, Tensor]:
        """Kernel [2C,K,3,3] and bias [2C] of gamma and beta in one convolution."""
        assert self.mlp_gamma.bias is not None and self.mlp_beta.bias is not None
        kernel = torch.cat([self.mlp_gamma.weight, self.mlp_beta.weight])
        return kernel, torch.cat([1 + self.mlp_gamma.bias, self.mlp_beta.bias])

    def _with_batch_norm(self, modulation: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift [...,C] from gamma and beta [...,2C].

        Outside training they include the normalization with the running statistics.
        """
        scale, shift = modulation.chunk(2, dim=-1)
        if self.training:
            return scale, shift
        mean, variance = self.param_free_norm.running_mean, self.param_free_norm.running_var
        assert mean is not None and variance is not None
        scale = scale * torch.rsqrt(variance + self.param_free_norm.eps).to(scale.dtype)
        return scale, torch.addcmul(shift, scale, mean.to(scale.dtype), value=-1)

    def _hidden(self, neighbourhoods: Neighbourhoods) -> Tensor:
        """The hidden activations of each distinct 3x3 neighbourhood, [U,K], 0 outside the image."""
        convolution = self.mlp_shared[0]
        assert isinstance(convolution, nn.Conv2d)
        weight = convolution.weight
        num_classes = neighbourhoods.num_classes
        # A one-hot input picks one row of weights at each of the 9 positions; outside, zeros.
        rows = F.pad(weight[:, :num_classes].flatten(2).permute(2, 1, 0), (0, 0, 0, 1))
        positions = torch.arange(9, device=weight.device) * (num_classes + 1)
        hidden = F.embedding_bag(neighbourhoods.classes + positions, rows.flatten(0, 1), mode="sum")
        if weight.shape[1] > num_classes:
            edges = neighbourhoods.edges.to(weight.dtype)
            hidden = hidden + edges @ weight[:, num_classes].flatten(1).T
        inside = neighbourhoods.classes[:, 4:5] < num_classes
        assert convolution.bias is not None
        return torch.relu(hidden + convolution.bias) * inside


def _multiply(rows: Tensor, weight: Tensor) -> Tensor:
    """``rows @ weight.T`` for rows [U,K] and weight [M,K]."""
    if rows.device.type != "cpu":
        return rows @ weight.T
    product = convolve_1x1(rows[None, :, None].permute(0, 3, 1, 2), weight[:, :, None, None])
    return product.permute(0, 2, 3, 1).flatten(0, 2)
