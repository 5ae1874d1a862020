"""Statistics of batch norm, measured for the weights that a generator has."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spadepis.spade import SpadeGenerator

# What the first rounds take of each batch, to get away from statistics of other weights; the last
# round averages over all batches.
FIRST_MOMENTA = (0.1, 0.1)


@torch.no_grad()
def measure_statistics(generator: SpadeGenerator, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Measure the means and variances of features, as they are in training.

    PyTorch's ``update_bn`` starts from variances of 1. But the root of a variance is also the unit
    of the noise that is added to the same features, so that where noise is strong that start would
    show in the end. Here statistics start from those that the generator has.

    Args:
        generator: left in evaluation mode.
        batches: class indices [N,H,W] and seeds of the noise, int64 [N]; in training, every picture
            has noise of its own.
    """
    layers = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    generator.train()
    rounds = [[momentum] * len(batches) for momentum in FIRST_MOMENTA]
    # The mean of so many is that of those before and the last one.
    rounds.append([1 / count for count in range(1, len(batches) + 1)])
    for momenta_of_round in rounds:
        for (labels, seeds), momentum in zip(batches, momenta_of_round, strict=True):
            for layer in layers:
                layer.momentum = momentum
            generator(labels, seeds=seeds)
    for layer, momentum_before in zip(layers, momenta, strict=True):
        layer.momentum = momentum_before
    generator.eval()
