"""Reading network weights from a path or URI, without ever unpickling code."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
from collections.abc import Mapping

import fsspec
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

# What the readers raise for files that are damaged or of another kind, depending on the damage.
DAMAGE = (
    SafetensorError,
    pickle.UnpicklingError,
    struct.error,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


class CheckpointError(ValueError):
    """A file that is not a checkpoint, or one that does not fit the network asked for."""


def read_state_dict(uri: str) -> dict[str, Tensor]:
    """Read a state dict of tensors on the CPU.

    ``*.safetensors`` is read as safetensors, anything else as a PyTorch file with
    ``weights_only=True``. A ``module.`` prefix, left by data-parallel training, is removed.

    Raises:
        CheckpointError: the file cannot be read, or holds something other than tensors by name.
    """
    try:
        with fsspec.open(uri, "rb") as file:
            if uri.endswith(".safetensors"):
                weights = safetensors.torch.load(file.read())
            else:
                weights = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"checkpoint {uri} cannot be read: {error}") from error
    except DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"checkpoint {uri} is not a file of weights: {reason}") from error
    if not isinstance(weights, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in weights.items()
    ):
        raise CheckpointError(f"checkpoint {uri} does not hold a mapping from names to tensors")
    return {key.removeprefix("module."): value for key, value in weights.items()}


def read_metadata(uri: str) -> dict[str, str]:
    """Read the metadata of a file that ``read_state_dict`` reads; only safetensors have any."""
    if not uri.endswith(".safetensors"):
        return {}
    with fsspec.open(uri, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        metadata: dict[str, str] = json.loads(file.read(length)).get("__metadata__", {})
    return metadata


def load_weights(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    uri: str,
    purpose: str,
    device: str | torch.device,
    dtype: torch.dtype,
) -> None:
    """Give a network made on the meta device its weights, and make it ready to be used.

    It is left on ``device`` in ``dtype``, in evaluation mode, without gradients, and channels
    last, in which convolutions are faster.

    Args:
        network: takes the weights.
        weights: the state dict read from ``uri``: every key of the network and no other.
        uri: where ``weights`` came from, for the message.
        purpose: what the network is for, e.g. ``"the label space ade20k"``, for the message.
        device: of the network.
        dtype: of the network.

    Raises:
        CheckpointError: naming the first key that does not fit and both shapes.
    """
    expected = network.state_dict()
    for key, tensor in expected.items():
        if key not in weights:
            raise CheckpointError(f"checkpoint {uri} has no {key}, needed for {purpose}")
        if weights[key].shape != tensor.shape:
            raise CheckpointError(
                f"checkpoint {uri} does not fit {purpose}: {key} has shape "
                f"{list(weights[key].shape)}, needed is {list(tensor.shape)}"
            )
    for key in weights:
        if key not in expected:
            raise CheckpointError(f"checkpoint {uri} has {key}, unknown for {purpose}")
    network.load_state_dict(weights, assign=True)
    network.to(device=device, dtype=dtype)
    network.to(memory_format=torch.channels_last)
    network.eval().requires_grad_(False)


def sha256(uri: str) -> str:
    """Hexadecimal SHA-256 of the file at ``uri``.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        with fsspec.open(uri, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"checkpoint {uri} cannot be read: {error}") from error
