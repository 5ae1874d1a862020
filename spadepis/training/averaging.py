"""The average of generators from one run, which is better than each of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spadepis.checkpoints.errors import CheckpointError
from spadepis.labels import LabelSpace
from spadepis.spade import SpadeGenerator
from spadepis.training.batch_norm import measure_statistics


def average_generators(
    checkpoints: Sequence[str],
    space: LabelSpace,
    batches: Sequence[tuple[Tensor, Tensor]],
    bfloat16: bool,
) -> SpadeGenerator:
    """The generator whose weights are the means of those of several checkpoints.

    Weights from one run can be averaged, and what changes from one step to the next goes away
    (Izmailov et al., UAI 2018; Wortsman et al., ICML 2022).

    Args:
        checkpoints: paths or URIs, of the same widths and properties.
        space: their label space.
        batches: class indices [N,H,W] and seeds of the noise [N], for the statistics of batch norm,
            which are no means of statistics.
        bfloat16: compute these statistics in bfloat16.

    Raises:
        CheckpointError: a checkpoint cannot be read, or differs from the first in its properties.
    """
    first, *others = (SpadeGenerator.from_checkpoint(uri, space) for uri in checkpoints)
    shapes = {key: tensor.shape for key, tensor in first.state_dict().items()}
    for uri, other in zip(checkpoints[1:], others, strict=True):
        theirs = {key: tensor.shape for key, tensor in other.state_dict().items()}
        if theirs != shapes or other.metadata != first.metadata:
            raise CheckpointError(
                f"checkpoint {uri} cannot be averaged with {checkpoints[0]}: its widths, noise, "
                "padding or frame are others"
            )
    states = [generator.state_dict() for generator in (first, *others)]
    means = {key: torch.stack([state[key].double() for state in states]).mean(0) for key in shapes}
    first.load_state_dict(means)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        measure_statistics(first, batches)
    return first
