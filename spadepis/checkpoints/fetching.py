"""Files of checkpoints: bringing them to a node, and the hash that identifies them."""

from __future__ import annotations

import hashlib

from spadepis.checkpoints.errors import CheckpointError
from spadepis.dataset.storage.node_cache import local_copy
from spadepis.filesystem_errors import reason


def fetch_checkpoint(uri: str) -> str:
    """The local path of a checkpoint; one process of a node fetches it from its store for all.

    Raises:
        CheckpointError: the checkpoint cannot be read.
    """
    try:
        return local_copy(uri)
    except OSError as error:
        raise CheckpointError(f"checkpoint {uri} cannot be read: {reason(error)}") from error


def sha256(uri: str) -> str:
    """Hexadecimal SHA-256 of the file at ``uri``.

    Raises:
        CheckpointError: the file cannot be read.
    """
    try:
        with open(fetch_checkpoint(uri), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"checkpoint {uri} cannot be read: {reason(error)}") from error
