"""What the SPADE generator and its discriminator are trained for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.training.discriminator import Verdict
from spadepis.training.luminance import luminance

# Side of the windows whose spectra are compared, and a power that cannot be seen: that of noise of
# half a level of 255.
SPECTRAL_WINDOW = 32
SMALLEST_POWER = 2e-6
# The lowest frequency of stripes, in cycles a pixel, and a share of power that nobody would call
# striped.
LOWEST_STRIPE_FREQUENCY = 24 / 512
SMALLEST_SHARE = 0.02


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


def stripes_excess(images: Tensor, targets: Tensor) -> Tensor:
    """By how much pictures are more striped than the photos of the same label maps, mean over them.

    It is the logarithm of the ratio of their shares of stripes, and 0 where the photo has more:
    doors and shelves are striped, too. The share is that of ``quality.artifacts.stripes``, but for
    the lowest frequency that counts.

    Args:
        images: [N,3,H,H] in [-1,1].
        targets: photos of the same label maps.
    """
    excess = torch.log(_stripes(images)) - torch.log(_stripes(targets))
    return F.relu(excess).mean()


def _stripes(images: Tensor) -> Tensor:
    """Share of the power of each image in purely horizontal and vertical frequencies, [N]."""
    light = luminance(images)
    size = light.shape[1]
    frequencies = torch.fft.fftfreq(size, 1 / size, device=images.device).abs()
    larger = torch.maximum(frequencies[:, None], frequencies)
    smaller = torch.minimum(frequencies[:, None], frequencies)
    fast = larger >= LOWEST_STRIPE_FREQUENCY * size
    taper = torch.hann_window(size, periodic=False, device=images.device)
    window = taper[:, None] * taper
    mean = (light * window).sum(dim=(1, 2), keepdim=True) / window.sum()
    spectra = torch.fft.fft2((light - mean) * window, norm="ortho")
    power = (spectra.real.square() + spectra.imag.square()) * fast
    striped = (power * (smaller <= 1)).sum(dim=(1, 2))
    share: Tensor = striped / power.sum(dim=(1, 2)).clamp(min=SMALLEST_POWER)
    return share + SMALLEST_SHARE


def _shrink(labels: Tensor, classes: Tensor) -> Tensor:
    step = labels.shape[1] // classes.shape[2]
    return labels[:, ::step, ::step]
