"""Giving a network its weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spadepis.checkpoints.errors import CheckpointError


def load_weights(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    uri: str,
    purpose: str,
    device: str | torch.device,
    dtype: torch.dtype,
) -> None:
    """Give a network that was made on the meta device its weights, and prepare it for inference.

    The network ends up on ``device`` in ``dtype``, in evaluation mode, without gradients, and
    channels last, in which convolutions are faster.

    Args:
        network: takes the weights.
        weights: the state dict read from ``uri``; it must have every key of the network and no
            other.
        uri: where ``weights`` came from, for messages.
        purpose: what the network is for, e.g. ``"the label space ade20k"``, for messages.
        device: where the network goes.
        dtype: what its weights are converted to.

    Raises:
        CheckpointError: a key or a shape does not fit; the message names the first one.
    """
    expected = network.state_dict()
    for key, tensor in expected.items():
        if key not in weights:
            raise CheckpointError(f"checkpoint {uri} has no {key}, needed for {purpose}")
        if weights[key].shape != tensor.shape:
            raise CheckpointError(
                f"checkpoint {uri} does not fit {purpose}: {key} has shape "
                f"{list(weights[key].shape)} instead of {list(tensor.shape)}"
            )
        if not _is_plain(weights[key]):
            raise CheckpointError(
                f"checkpoint {uri} does not fit {purpose}: {key} does not hold floating-point "
                f"numbers that can be computed with ({weights[key].dtype})"
            )
    for key in weights:
        if key not in expected:
            raise CheckpointError(f"checkpoint {uri} has {key}, unknown for {purpose}")
    network.load_state_dict(weights, assign=True)
    network.to(device=device, dtype=dtype)
    network.to(memory_format=torch.channels_last)
    network.eval().requires_grad_(False)


def _is_plain(tensor: Tensor) -> bool:
    """Whether a tensor holds its floating-point numbers one by one, in memory."""
    is_stored = tensor.layout == torch.strided and not tensor.is_meta
    return is_stored and (tensor.is_floating_point() or tensor.ndim == 0)
