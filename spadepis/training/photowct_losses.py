"""What PhotoWCT's encoder and decoders are trained for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.photowct.style_statistics import feature_statistics, find_whitening
from spadepis.training.luminance import luminance
from spadepis.training.perceptual import SMALLEST_UNIT

# The least variance that style is told by, as a share of the squared mean.
SMALLEST_VARIANCE = 1e-3


def transfer(content: Tensor, style: Tensor, scale: float) -> Tensor:
    """Features [N,C,h,w] of content with the statistics of style, as in use.

    The whitening and colouring matrices are constants to the gradient: the decoder learns to
    decode what they give.

    Args:
        content: features [N,C,h,w].
        style: features [N,C,h,w].
        scale: scale of the features in use, against which the identity is added before whitening.
    """
    # Eigenvalues need full precision.
    with torch.no_grad(), torch.autocast(content.device.type, enabled=False):
        stylized = []
        for one, other in zip(content.flatten(2) * scale, style.flatten(2) * scale, strict=True):
            matrix, offset = find_whitening(one).towards(feature_statistics(other))
            stylized.append(torch.addmm(offset[:, None], matrix, one))
        return torch.stack(stylized).view_as(content) / scale


def style_distance(features: list[Tensor], targets: list[Tensor]) -> Tensor:
    """How far means and covariances of features are from the targets', relative to the targets'.

    Means in units of the standard deviation, covariances by their Frobenius norm; mean over
    levels and pictures. Where targets are flat, units are those of a thousandth of their power.
    """
    distances = []
    for feature, target in zip(features, targets, strict=True):
        with torch.autocast(feature.device.type, enabled=False):
            mean, covariance = _statistics(feature.float())
            target_mean, target_covariance = _statistics(target.float())
        # In units of the whole batch: a single picture may be all sky, and all may be all white.
        power = target_mean.square().sum(dim=1).mean()
        smallest = (SMALLEST_VARIANCE * power).clamp(min=SMALLEST_UNIT**2)
        variance = target_covariance.diagonal(dim1=1, dim2=2).sum(dim=1).mean().clamp(min=smallest)
        of_means = (mean - target_mean).square().sum(dim=1).mean() / variance
        difference = (covariance - target_covariance).square().sum(dim=(1, 2)).mean()
        square = target_covariance.square().sum(dim=(1, 2)).mean().clamp(min=smallest**2)
        distances.append(of_means + difference / square)
    return torch.stack(distances).mean()


def structure_distance(images: Tensor, contents: Tensor) -> Tensor:
    """One minus the cosine between the luminance gradients of [N,3,H,W] pictures, mean."""
    gradients = _luminance_gradients(images.float())
    return 1 - F.cosine_similarity(gradients, _luminance_gradients(contents), dim=1).mean()


def _statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    vectors = features.flatten(2)
    mean = vectors.mean(dim=2)
    centred = vectors - mean.unsqueeze(2)
    return mean, centred @ centred.mT / vectors.shape[2]


def _luminance_gradients(images: Tensor) -> Tensor:
    light = luminance(images)
    across, down = light.diff(dim=2), light.diff(dim=1)
    return torch.cat([across.flatten(1), down.flatten(1)], dim=1)
