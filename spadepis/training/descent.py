"""One step of an optimizer, and how its learning rate falls."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def half_cosine(step: int, steps: int) -> float:
    """Factor of the learning rate, from 1 at the first step to 0 after the last."""
    return (1 + math.cos(math.pi * step / steps)) / 2


def descend(
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    learning_rate: float,
    longest_gradient: float = math.inf,
) -> None:
    """One step down the gradient of the loss, cut to a length if it is longer."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    for group in optimizer.param_groups:
        nn.utils.clip_grad_norm_(group["params"], longest_gradient)
    optimizer.step()
