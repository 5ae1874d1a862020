"""Reading network weights from a path or URI, without ever running code from the file."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Mapping

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.filesystem_errors import reason

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


def read_state_dict(uri: str) -> dict[str, Tensor]:
    """Read a state dict of tensors onto the CPU.

    ``*.safetensors`` is read as safetensors, anything else as a PyTorch file with
    ``weights_only=True``. A ``module.`` prefix, left by data-parallel training, is removed.

    Raises:
        CheckpointError: the file cannot be read, or holds something other than tensors by name.
        CredentialsError: the URI holds credentials.
        FilesystemError: there is no filesystem for the URI.
    """
    path = fetch_checkpoint(uri)
    try:
        with open(path, "rb") as file:
            if path.endswith(".safetensors"):
                weights = safetensors.torch.load(file.read())
            else:
                weights = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"checkpoint {uri} cannot be read: {reason(error)}") from error
    except DAMAGE as error:
        # PyTorch's own messages are of little use here, or explain how to run the code in a file.
        raise CheckpointError(
            f"checkpoint {uri} is not a file of weights: it is cut off or damaged, has another "
            "format, or holds objects other than tensors, which are never loaded"
        ) from error
    if not isinstance(weights, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in weights.items()
    ):
        raise CheckpointError(f"checkpoint {uri} does not hold a mapping from names to tensors")
    return {key.removeprefix("module."): value for key, value in weights.items()}


def read_metadata(uri: str) -> dict[str, str]:
    """Read the metadata of a file that ``read_state_dict`` reads; only safetensors have any."""
    path = fetch_checkpoint(uri)
    if not path.endswith(".safetensors"):
        return {}
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        metadata: dict[str, str] = json.loads(file.read(length)).get("__metadata__", {})
    return metadata
