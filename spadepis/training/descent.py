"""One step of an optimizer, and how its learning rates fall."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from spadepis.configuration import ConfigurationError


def half_cosine(optimizer: torch.optim.Optimizer, steps: int, done: int) -> LambdaLR:
    """Learning rates that fall from the first step to 0 after the last along half a cosine.

    Unlike PyTorch's ``CosineAnnealingLR`` they depend on the number of steps done alone, so that a
    resumed run may have more steps than it had at first.

    Args:
        optimizer: new, or with the state that it had after the steps done.
        steps: number of steps in all.
        done: number of steps done.
    """

    def factor(step: int) -> float:
        return (1 + math.cos(math.pi * min(step, steps) / steps)) / 2

    return LambdaLR(optimizer, factor, last_epoch=done - 1)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, longest_gradient: float) -> None:
    """One step down the gradient of the loss, cut to a length if it is longer.

    Raises:
        ConfigurationError: the gradient is not finite. The weights are as before the step.
    """
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if not nn.utils.clip_grad_norm_(parameters, longest_gradient).isfinite():
        raise ConfigurationError(
            "the training has diverged: a gradient is not finite. Give a lower --learning-rate and "
            "another --output"
        )
    optimizer.step()
