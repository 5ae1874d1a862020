"""Statistics of batch norm, measured for the weights that a generator has."""

from __future__ import annotations

import torch
from torch import Generator

from spadepis.labels import COCO_STUFF
from spadepis.spade import SpadeGenerator
from spadepis.training.batch_norm import measure_statistics
from spadepis.training.spade import initialize


def generator_with(strength: float) -> SpadeGenerator:
    torch.manual_seed(0)
    generator = SpadeGenerator(COCO_STUFF, 4, 8, "reflect", noise=True)
    initialize(generator)
    assert generator.head_0.noise_strength is not None
    torch.nn.init.constant_(generator.head_0.noise_strength, strength)
    return generator


def batches(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    random = Generator().manual_seed(1)
    return [
        (
            torch.randint(0, 183, (4, 64, 64), generator=random),
            torch.randint(2**62, (4,), generator=random),
        )
        for _ in range(count)
    ]


def test_variances_are_those_of_features_with_noise_in_units_of_themselves() -> None:
    strength = 0.8
    noisy, quiet = generator_with(strength), generator_with(0)
    measured = []
    for generator in (quiet, noisy):
        # Several times what they will be.
        for layer in generator.modules():
            if isinstance(layer, torch.nn.BatchNorm2d) and layer.running_var is not None:
                torch.nn.init.constant_(layer.running_var, 0.03)
        measure_statistics(generator, batches(60))
        variance = generator.head_0.norm_0.param_free_norm.running_var
        assert variance is not None
        measured.append(variance)
        assert not generator.training
    # v = s + strength² v.
    ratio = (measured[1] / measured[0]).median()
    assert abs(ratio * (1 - strength**2) - 1) < 0.15


def test_the_momentum_stays_as_it_was() -> None:
    generator = generator_with(0.1)
    layer = generator.head_0.norm_0.param_free_norm
    before = layer.momentum
    measure_statistics(generator, batches(2))
    assert layer.momentum == before
    assert layer.running_mean is not None and layer.running_mean.abs().max() > 0
