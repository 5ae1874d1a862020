"""A discriminator on frozen ImageNet features, conditioned on the label map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

NEGATIVE_SLOPE = 0.2


@dataclass(frozen=True)
class Verdict:
    """What the discriminator makes of a batch of pictures.

    Attributes:
        features: features of the pyramid, from stride 2 on, each [N,width,h,w].
        scores: real (above 0) or generated, of the same levels but the coarsest, each [N,h,w].
        classes: scores of each class and, last, of *generated*, at stride 2, [N,classes+1,h,w].
    """

    features: Sequence[Tensor]
    scores: Sequence[Tensor]
    classes: Tensor

    def split(self, count: int) -> tuple[Verdict, Verdict]:
        """The verdicts on the first ``count`` pictures and on the others."""
        first, second = (
            Verdict(
                [features[part] for features in self.features],
                [scores[part] for scores in self.scores],
                self.classes[part],
            )
            for part in (slice(count), slice(count, None))
        )
        return first, second


class Discriminator(nn.Module):
    """A feature pyramid over frozen features, with heads for realism and for classes.

    Sauer et al. (NeurIPS 2021) discriminate on fixed pretrained features. A top-down pyramid (Lin
    et al., CVPR 2017) gives each level the context of the coarser ones. Its heads are: at all
    levels but the coarsest a hinge score with projection on the embedded label (Miyato and Koyama,
    ICLR 2018), and at the finest level a classifier of every pixel into the classes and
    *generated* (Schönfeld et al., ICLR 2021).

    Args:
        feature_widths: channels of the frozen features, from the finest level on.
        num_classes: number of classes of the label space.
        width: channels of the pyramid.
    """

    def __init__(self, feature_widths: Sequence[int], num_classes: int, width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            spectral_norm(nn.Conv2d(channels, width, 1)) for channels in feature_widths
        )
        self.merge = nn.ModuleList(
            spectral_norm(nn.Conv2d(width, width, 3, padding=1)) for _ in feature_widths
        )
        self.score = nn.ModuleList(
            spectral_norm(nn.Conv2d(width, 1, 1)) for _ in feature_widths[:-1]
        )
        self.embeddings = nn.ModuleList(
            spectral_norm(nn.Embedding(num_classes, width)) for _ in feature_widths[:-1]
        )
        self.classify = nn.Conv2d(width, num_classes + 1, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, levels: Sequence[Tensor], labels: Tensor) -> Verdict:
        """Judge pictures by their frozen features.

        Args:
            levels: frozen features, from the finest level on.
            labels: class indices [N,H,W] at twice the size of the finest level.
        """
        x: Tensor | None = None
        pyramid: list[Tensor] = []
        for lateral, merge, level in reversed(
            list(zip(self.lateral, self.merge, levels, strict=True))
        ):
            entering = lateral(level)
            if x is not None:
                # Sides that are not divisible by the stride were rounded up.
                upper = F.interpolate(x, scale_factor=2.0, mode="nearest")
                entering = entering + upper[:, :, : entering.shape[2], : entering.shape[3]]
            x = F.leaky_relu(merge(F.leaky_relu(entering, NEGATIVE_SLOPE)), NEGATIVE_SLOPE)
            pyramid.insert(0, x)
        scores = []
        for depth, (score, embedding) in enumerate(
            zip(self.score, self.embeddings, strict=True), start=1
        ):
            features, step = pyramid[depth - 1], 2**depth
            embedded = embedding(labels[:, ::step, ::step]).permute(0, 3, 1, 2)
            projected = (embedded.to(features.dtype) * features).sum(dim=1)
            scores.append(score(features)[:, 0] + projected)
        return Verdict(pyramid, scores, self.classify(pyramid[0]))
