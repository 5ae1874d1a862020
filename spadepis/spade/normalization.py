"""Spatially-adaptive (de)normalization, in its plain dense form and with deduplication."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadepis.spade.neighbourhoods import Neighbourhoods
from spadepis.spade.semantic_map import SemanticMap


class SpadeNormalization(nn.Module):
    """Normalization whose scale and shift vary over the image with the semantic map.

    Park et al., eq. 1-3: ``gamma(s) * (x - mu) / sigma + beta(s)``, where the published networks
    learn ``gamma - 1``, and gamma and beta come from two stacked 3x3 convolutions of the map.

    Args:
        channels: C, of the features.
        semantic_channels: S, of the semantic map.
        hidden_width: K, channels between the two convolutions; 128 in the published networks.
    """

    # With more distinct neighbourhoods a pixel than this the dense form is the faster one.
    dense_above = 0.55

    def __init__(self, channels: int, semantic_channels: int, hidden_width: int) -> None:
        super().__init__()
        self.param_free_norm = nn.BatchNorm2d(channels, affine=False)
        self.mlp_shared = nn.Sequential(
            nn.Conv2d(semantic_channels, hidden_width, 3, padding=1), nn.ReLU()
        )
        self.mlp_gamma = nn.Conv2d(hidden_width, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden_width, channels, 3, padding=1)

    def forward(self, features: Tensor, semantic_map: SemanticMap) -> Tensor:
        """Modulate features [N,C,h,w] by the map, which is shrunk to h x w."""
        height = features.shape[2]
        neighbourhoods = semantic_map.neighbourhoods(height)
        if neighbourhoods.distinct_share <= self.dense_above:
            return self.modulate_by_neighbourhood(features, neighbourhoods)
        return self.modulate_densely(features, semantic_map.one_hot(height))

    def modulate_densely(self, features: Tensor, semantics: Tensor) -> Tensor:
        """Modulate features [N,C,h,w] by a one-hot map [N,S,h,w], as the paper writes it."""
        hidden = self.mlp_shared(semantics)
        scale = 1 + self.mlp_gamma(hidden)
        modulated: Tensor = self.param_free_norm(features) * scale + self.mlp_beta(hidden)
        return modulated

    def modulate_by_neighbourhood(self, features: Tensor, neighbourhoods: Neighbourhoods) -> Tensor:
        """The same, with each distinct neighbourhood computed once."""
        scale, shift = self._scale_and_shift(neighbourhoods)
        if self.training:
            features = self.param_free_norm(features)
        else:
            scale, shift = self._with_batch_norm(scale, shift)
        pixels = features.permute(0, 2, 3, 1)
        # embedding gathers rows several times faster than indexing does.
        modulated = torch.addcmul(
            F.embedding(neighbourhoods.fives, shift),
            F.embedding(neighbourhoods.fives, scale),
            pixels.reshape(-1, pixels.shape[3]),
        )
        return modulated.view(pixels.shape).permute(0, 3, 1, 2)

    def _scale_and_shift(self, neighbourhoods: Neighbourhoods) -> tuple[Tensor, Tensor]:
        """Scale and shift of each distinct 5x5 neighbourhood, [V,C].

        Each is a sum over the 9 positions of the second convolution's kernel. What one position
        contributes depends on a 3x3 neighbourhood alone, of which still fewer are distinct: so
        the products are taken for those, and their rows are summed.
        """
        weight = torch.cat([self.mlp_gamma.weight, self.mlp_beta.weight])
        by_position = weight.permute(1, 2, 3, 0).flatten(1)
        products = self._hidden(neighbourhoods) @ by_position
        positions = torch.arange(9, device=weight.device)
        rows = products.view(-1, len(weight))
        summed = F.embedding_bag(neighbourhoods.threes * 9 + positions, rows, mode="sum")
        assert self.mlp_gamma.bias is not None and self.mlp_beta.bias is not None
        channels = len(self.mlp_gamma.bias)
        scale = summed[:, :channels] + (1 + self.mlp_gamma.bias)
        return scale, summed[:, channels:] + self.mlp_beta.bias

    def _with_batch_norm(self, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift that normalize with the running statistics as well."""
        mean, variance = self.param_free_norm.running_mean, self.param_free_norm.running_var
        assert mean is not None and variance is not None
        scale = scale * torch.rsqrt(variance + self.param_free_norm.eps)
        return scale, torch.addcmul(shift, scale, mean, value=-1)

    def _hidden(self, neighbourhoods: Neighbourhoods) -> Tensor:
        """Hidden activation of each distinct 3x3 neighbourhood, [U,K], 0 outside the image."""
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
