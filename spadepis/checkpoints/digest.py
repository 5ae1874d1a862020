"""The hash by which a checkpoint is identified; it is found without PyTorch."""

from __future__ import annotations

import hashlib

import fsspec

from spadepis.checkpoints.errors import CheckpointError


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
