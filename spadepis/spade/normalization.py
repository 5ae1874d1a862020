"""Spatially-adaptive (de)normalization, in its plain dense form."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN_CHANNELS = 128


class SpadeNormalization(nn.Module):
    """Normalization whose scale and shift vary over the image with the semantic map.

    Park et al., eq. 1-3: ``gamma(s) * (x - mu) / sigma + beta(s)``, where the published networks
    learn ``gamma - 1``, and gamma and beta come from two stacked 3x3 convolutions of the map.
    """

    def __init__(self, channels: int, semantic_channels: int) -> None:
        super().__init__()
        self.param_free_norm = nn.BatchNorm2d(channels, affine=False)
        self.mlp_shared = nn.Sequential(
            nn.Conv2d(semantic_channels, HIDDEN_CHANNELS, 3, padding=1), nn.ReLU()
        )
        self.mlp_gamma = nn.Conv2d(HIDDEN_CHANNELS, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(HIDDEN_CHANNELS, channels, 3, padding=1)

    def forward(self, features: Tensor, semantics: Tensor) -> Tensor:
        """Modulate ``features``.

        Args:
            features: [N,C,h,w].
            semantics: [N,S,H,W] semantic map at full resolution; shrunk here to h x w by
                top-left nearest neighbour, as the published networks were trained.

        Returns:
            [N,C,h,w].
        """
        semantics = F.interpolate(semantics, size=features.shape[-2:], mode="nearest")
        hidden = self.mlp_shared(semantics)
        scale = 1 + self.mlp_gamma(hidden)
        modulated: Tensor = self.param_free_norm(features) * scale + self.mlp_beta(hidden)
        return modulated
