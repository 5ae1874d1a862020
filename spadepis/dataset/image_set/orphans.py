"""Orphans: objects that writers left in an image set when they were stopped before committing."""

from __future__ import annotations

from collections.abc import Set
from contextlib import suppress
from datetime import datetime

import pyarrow as pa

from spadepis.dataset.image_set.commits import done, pairs
from spadepis.dataset.image_set.completeness import expected_sizes, object_sizes
from spadepis.dataset.image_set.layout import is_image_file, is_shard
from spadepis.dataset.image_set.sealed_parquet import SealError, unseal
from spadepis.dataset.storage.folder import Folder


def named_objects(log: pa.Table) -> Set[str]:
    """Names of the files and shards that hold the images of a commit log."""
    return expected_sizes(log).keys()


def orphans(folder: Folder, log: pa.Table) -> list[str]:
    """Names of the objects in the folders of images that no row of the commit log names."""
    named = named_objects(log)
    return [name for name in object_sizes(folder, len(named)) if name not in named]


def remove_orphans(folder: Folder, log: pa.Table, before: datetime | None) -> None:
    """Remove what writers left that were stopped before they committed it.

    A writer may still commit what it has written a moment ago. So an object is removed if it is
    old, or if it is a shard whose pairs are all done: their rows in the compacted log win over
    those of a slow writer. Files of other origin stay, such as inputs in the same folder.

    Args:
        folder: the image set.
        log: what ``compact`` returned.
        before: objects last written before this are old; None if none of them can be ours.
    """
    finished = pairs(done(log))
    for name in orphans(folder, log):
        # Another process may remove it meanwhile.
        with suppress(FileNotFoundError):
            if _is_old(folder, name, before) or (
                is_shard(name) and _is_done_again(folder, name, finished)
            ):
                folder.remove(name)


def _is_old(folder: Folder, name: str, before: datetime | None) -> bool:
    """Whether an object was written by an earlier job."""
    if before is None or not (is_shard(name) or is_image_file(name)):
        return False
    return folder.modified(name) < before


def _is_done_again(folder: Folder, name: str, finished: Set[tuple[str, str | None]]) -> bool:
    """Whether all pairs in a shard are done in others; not known of one that is damaged."""
    try:
        shard = unseal(folder.read(name))
        return pairs(shard) <= finished
    except (SealError, KeyError):
        return False
