"""The multi-scale patch discriminator that SPADE is trained against."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from spadepis.labels import LabelSpace

SCALES = 2
# The paper's discriminator sees the one-hot map; here a few learned channels stand for it, which
# is the same first convolution with a weight of lower rank, and far cheaper.
EMBEDDING_WIDTH = 16
STRIDES = (2, 2, 2, 1)


class PatchDiscriminator(nn.Module):
    """PatchGAN of 4x4 convolutions with spectral and instance norm (Park et al., appendix A)."""

    def __init__(self, channels: int, base_width: int) -> None:
        super().__init__()
        widths = [channels, *(base_width * 2 ** min(depth, 3) for depth in range(len(STRIDES)))]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride, padding=2))
            for (before, after), stride in zip(pairwise(widths), STRIDES, strict=True)
        )
        self.logits = nn.Conv2d(widths[-1], 1, 4, padding=2)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Pictures and maps [N,C,H,W] to the features of every layer and, last, the logits."""
        outputs: list[Tensor] = []
        for depth, layer in enumerate(self.layers):
            x = layer(x)
            if depth > 0:
                x = F.instance_norm(x)
            x = F.leaky_relu(x, 0.2)
            outputs.append(x)
        return [*outputs, self.logits(x)]


class Discriminator(nn.Module):
    """Patch discriminators at full and half size, conditioned on the label map."""

    def __init__(self, label_space: LabelSpace, base_width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(label_space.num_classes, EMBEDDING_WIDTH)
        channels = 3 + EMBEDDING_WIDTH + label_space.has_instance_edges
        self.scales = nn.ModuleList(PatchDiscriminator(channels, base_width) for _ in range(SCALES))

    def forward(self, images: Tensor, labels: Tensor, edges: Tensor | None) -> list[list[Tensor]]:
        """Features and logits at each scale.

        Args:
            images: [N,3,H,W] in [-1,1].
            labels: class indices [N,H,W].
            edges: instance edges, bool [N,H,W], where the label space has them.
        """
        planes = [images, self.embedding(labels).permute(0, 3, 1, 2)]
        if edges is not None:
            planes.append(edges.unsqueeze(1))
        x = torch.cat([plane.to(images.dtype) for plane in planes], dim=1)
        x = x.contiguous(memory_format=torch.channels_last)
        outputs = []
        for scale in self.scales:
            outputs.append(scale(x))
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return outputs


def generator_hinge_loss(of_generated: list[list[Tensor]]) -> Tensor:
    """Hinge loss of the generator: minus the mean logit (Lim and Ye, 2017)."""
    return torch.stack([-scale[-1].float().mean() for scale in of_generated]).mean()


def discriminator_hinge_loss(
    of_generated: list[list[Tensor]], of_real: list[list[Tensor]]
) -> Tensor:
    """Hinge loss of the discriminator (Lim and Ye, 2017)."""
    losses = [
        F.relu(1 + generated[-1].float()).mean() + F.relu(1 - real[-1].float()).mean()
        for generated, real in zip(of_generated, of_real, strict=True)
    ]
    return torch.stack(losses).mean()


def feature_matching_loss(of_generated: list[list[Tensor]], of_real: list[list[Tensor]]) -> Tensor:
    """Difference of the discriminator's features (Wang et al., CVPR 2018, eq. 4)."""
    losses = [
        sum(
            F.l1_loss(feature.float(), target.detach().float())
            for feature, target in zip(generated[:-1], real[:-1], strict=True)
        )
        for generated, real in zip(of_generated, of_real, strict=True)
    ]
    return torch.stack([torch.as_tensor(loss) for loss in losses]).mean()
