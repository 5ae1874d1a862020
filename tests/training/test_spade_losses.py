import math

import numpy as np
import pytest
import torch

from spadepis.quality.artifacts import stripes
from spadepis.training.discriminator import Verdict
from spadepis.training.spade_losses import (
    SMALLEST_SHARE,
    discriminator_classification,
    discriminator_hinge,
    feature_difference,
    generator_classification,
    generator_hinge,
    spectral_difference,
    stripes_excess,
)

# Two classes and unknown, then "generated".
WEIGHTS = torch.tensor([1.0, 3.0, 0.0])


def verdict(score: float = 0.0, logits: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)) -> Verdict:
    """On a picture of 4x4 pixels."""
    classes = torch.tensor(logits).view(1, 4, 1, 1).expand(1, 4, 2, 2)
    return Verdict([], [torch.full((1, 2, 2), score), torch.full((1, 1, 1), score)], classes)


def test_hinge_losses() -> None:
    assert float(generator_hinge(verdict(0.5))) == -0.5
    assert float(discriminator_hinge(verdict(2.0), verdict(-2.0))) == 0
    assert float(discriminator_hinge(verdict(-0.5), verdict(0.5))) == 3


def test_classification_weighs_classes_and_leaves_unknown_pixels_out() -> None:
    labels = torch.tensor([0, 0, 1, 1]).repeat_interleave(4).view(1, 4, 4)
    undecided = math.log(4)
    assert float(generator_classification(verdict(), labels, WEIGHTS)) == pytest.approx(
        2 * undecided
    )
    unknown = torch.full((1, 4, 4), 2)
    assert float(generator_classification(verdict(), unknown, WEIGHTS)) == 0


def test_the_discriminator_tells_generated_pixels_from_classes() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    right = verdict(logits=(99.0, 0.0, 0.0, 0.0)), verdict(logits=(0.0, 0.0, 0.0, 99.0))
    assert float(discriminator_classification(*right, labels, WEIGHTS)) == pytest.approx(0)
    assert float(discriminator_classification(*right[::-1], labels, WEIGHTS)) > 100


def test_feature_difference_is_the_mean_over_levels_without_gradient_to_the_target() -> None:
    ours = [torch.zeros(2, requires_grad=True), torch.zeros(5)]
    theirs = [torch.ones(2, requires_grad=True), torch.full((5,), 3.0)]
    loss = feature_difference(ours, theirs)
    torch.autograd.backward(loss)
    assert float(loss.detach()) == 2
    assert ours[0].grad is not None and theirs[0].grad is None


def test_spectra_tell_stripes_from_texture_wherever_they_are() -> None:
    random = torch.Generator().manual_seed(0)
    texture = 0.3 * torch.randn(1, 1, 128, 128, generator=random).expand(1, 3, -1, -1)
    moved = texture.roll((5, 40), (2, 3)).flip(3)
    stripes = texture[:, :, :, :1].expand(texture.shape)
    assert spectral_difference(texture, texture) == 0
    assert spectral_difference(moved, texture) < 0.3 < 2 < spectral_difference(stripes, texture)
    diagonal = torch.stack([row.roll(i) for i, row in enumerate(stripes.mT[0, 0])])
    assert spectral_difference(diagonal.expand(1, 3, -1, -1), texture) > 2


def test_spectra_of_a_flat_picture_have_a_finite_gradient() -> None:
    flat = torch.zeros(1, 3, 64, 64, requires_grad=True)
    torch.autograd.backward(spectral_difference(flat + 0, torch.rand(1, 3, 64, 64)))
    assert flat.grad is not None and flat.grad.isfinite().all()


def test_only_stripes_that_the_photo_has_not_count() -> None:
    random = torch.Generator().manual_seed(0)
    texture = 0.3 * torch.randn(1, 1, 128, 128, generator=random).expand(1, 3, -1, -1)
    bars = 0.3 * torch.sin(torch.arange(128) * 1.5).expand(texture.shape)
    for striped in (texture + bars, texture + bars.mT):
        # The shares are those of the metric, but for what frequencies count.
        shares = [
            stripes((127 + 64 * picture[0].numpy().transpose(1, 2, 0)).astype(np.uint8))
            for picture in (striped, texture)
        ]
        expected = math.log((shares[0] + SMALLEST_SHARE) / (shares[1] + SMALLEST_SHARE))
        assert expected > 1
        assert float(stripes_excess(striped, texture)) == pytest.approx(expected, abs=0.3)
        assert stripes_excess(texture, striped) == 0
        assert stripes_excess(striped, striped) == 0


def test_stripes_of_a_flat_picture_have_a_finite_gradient() -> None:
    flat = torch.zeros(1, 3, 64, 64, requires_grad=True)
    torch.autograd.backward(stripes_excess(flat + 0, torch.rand(1, 3, 64, 64)))
    assert flat.grad is not None and flat.grad.isfinite().all()
