"""What the SPADE generator and its discriminator are trained for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.training.discriminator import Verdict

# ITU-R BT.601.
LUMINANCE = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
# Side of the windows whose spectra are compared, and a power that cannot be seen: that of noise of
# half a level of 255.
SPECTRAL_WINDOW = 32
SMALLEST_POWER = 2e-6


def luminance(images: Tensor) -> Tensor:
    """Luminance [N,H,W] of RGB pictures [N,3,H,W], in their units."""
    return (images.float() * LUMINANCE.to(images.device)).sum(dim=1)


def discriminator_hinge(real: Verdict, generated: Verdict) -> Tensor:
    """Hinge loss of the discriminator (Lim and Ye, 2017), mean over levels."""
    losses = [
        F.relu(1 - of_real.float()).mean() + F.relu(1 + of_generated.float()).mean()
        for of_real, of_generated in zip(real.scores, generated.scores, strict=True)
    ]
    return torch.stack(losses).mean()


def generator_hinge(generated: Verdict) -> Tensor:
    """Hinge loss of the generator: minus the mean score (Lim and Ye, 2017), mean over levels."""
    return torch.stack([-scores.float().mean() for scores in generated.scores]).mean()


def discriminator_classification(
    real: Verdict, generated: Verdict, labels: Tensor, weights: Tensor
) -> Tensor:
    """Cross-entropy of the N+1-class discriminator (Schönfeld et al., ICLR 2021, eq. 1).

    Pixels of photos belong to the class of the label map, weighted by class; all pixels of
    generated pictures to the class *generated*, the last.

    Args:
        real: on photos.
        generated: on pictures generated from the same label maps.
        labels: class indices [N,H,W].
        weights: [num_classes] by class.
    """
    count = generated.classes.shape[1] - 1
    target = torch.full_like(_shrink(labels, generated.classes), count)
    of_generated = F.cross_entropy(generated.classes.float(), target)
    return generator_classification(real, labels, weights) + of_generated


def generator_classification(verdict: Verdict, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of the classes found in pictures, weighted by class.

    Schönfeld et al., ICLR 2021, eq. 2. The mean is over all pixels, so that a crop without any
    known class counts for nothing.
    """
    weights = F.pad(weights, (0, 1))
    losses = F.cross_entropy(
        verdict.classes.float(), _shrink(labels, verdict.classes), weights, reduction="none"
    )
    return losses.mean()


def feature_difference(features: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of features, mean over levels.

    Of frozen features it is a perceptual loss (Johnson et al., ECCV 2016), of the discriminator's
    it is feature matching (Wang et al., CVPR 2018, eq. 4).
    """
    levels = [
        F.l1_loss(feature.float(), target.detach().float())
        for feature, target in zip(features, targets, strict=True)
    ]
    return torch.stack(levels).mean()


def spectral_difference(images: Tensor, targets: Tensor) -> Tensor:
    """Mean difference of the logarithms of local power spectra, image by image.

    Stripes and reliefs that all run in one direction stand out in the power spectrum, wherever in
    the picture they are. Durall et al. (CVPR 2020) compare spectra averaged over directions; here
    directions are kept. Spectra are those of the luminance in overlapping windows of 32x32 pixels.

    Args:
        images: [N,3,H,W] in [-1,1].
        targets: photos of the same label maps.
    """
    return F.l1_loss(_log_spectra(images), _log_spectra(targets))


def _log_spectra(images: Tensor) -> Tensor:
    """Logarithm of the mean local power spectrum of each image, [N,32,17]."""
    windows = luminance(images).unfold(1, SPECTRAL_WINDOW, SPECTRAL_WINDOW // 2)
    windows = windows.unfold(2, SPECTRAL_WINDOW, SPECTRAL_WINDOW // 2).flatten(1, 2)
    taper = torch.hann_window(SPECTRAL_WINDOW, device=images.device)
    centred = windows - windows.mean(dim=(2, 3), keepdim=True)
    spectra = torch.fft.rfft2(centred * taper * taper[:, None], norm="ortho")
    power = spectra.real.square() + spectra.imag.square()
    return torch.log(power.mean(dim=1) + SMALLEST_POWER)


def _shrink(labels: Tensor, classes: Tensor) -> Tensor:
    step = labels.shape[1] // classes.shape[2]
    return labels[:, ::step, ::step]
