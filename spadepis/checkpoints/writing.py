"""Writing network weights as safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor

from spadepis.checkpoints.errors import CheckpointError
from spadepis.dataset.storage.replacement import replacing


def write_weights(
    path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a state dict as safetensors; the file appears as a whole or not at all.

    The same weights and metadata give the same bytes, by whose hash image sets know a checkpoint.

    Args:
        path: the file, NAME.safetensors.
        weights: tensors by name.
        metadata: what else the file says, if anything.

    Raises:
        OSError: the file cannot be written.
    """
    # Copies: two names may stand for one tensor, which the format does not allow.
    contiguous = {key: value.clone().contiguous() for key, value in weights.items()}
    with replacing(path) as unfinished:
        # The library would write a file that its owner alone may read.
        content = safetensors.torch.save(contiguous, dict(metadata or {}) or None)
        unfinished.write_bytes(_with_sorted_metadata(content) if metadata else content)


def _with_sorted_metadata(content: bytes) -> bytes:
    """A file in the format, whose metadata the library puts in another order each time."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]


def halve_matrices(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with all tensors of two or more dimensions in float16.

    Vectors take little space; among them are the batch-norm statistics, which may be out of the
    range of float16.

    Raises:
        CheckpointError: a value is too large for float16.
    """
    halved = {key: value.half() if value.ndim > 1 else value for key, value in weights.items()}
    for key, value in halved.items():
        if not value.isfinite().all():
            raise CheckpointError(f"{key} has values that are too large for float16")
    return halved
