"""Bringing checkpoints from object stores to a node."""

from __future__ import annotations

from spadepis.checkpoints.errors import CheckpointError
from spadepis.dataset.storage.errors import reason
from spadepis.dataset.storage.node_cache import local_copy


def fetch_checkpoint(uri: str) -> str:
    """The local path of a checkpoint; one process of a node fetches it from its store for all.

    Raises:
        CheckpointError: the checkpoint cannot be read.
    """
    try:
        return local_copy(uri)
    except OSError as error:
        raise CheckpointError(f"checkpoint {uri} cannot be read: {reason(error)}") from error
