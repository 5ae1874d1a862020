"""Where the checkpoints that a job names are read."""

from __future__ import annotations

from spadepis.checkpoints.reading import CheckpointError
from spadepis.dataset.storage.errors import reason
from spadepis.dataset.storage.node_cache import local_copy


def fetch_checkpoint(uri: str) -> str:
    """Path of a checkpoint on this node, fetched from its store by one process of the node.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        return local_copy(uri)
    except OSError as error:
        raise CheckpointError(f"checkpoint {uri} cannot be read: {reason(error)}") from error
