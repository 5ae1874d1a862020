"""Orphans: objects that writers left in an image set when they were stopped before committing."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spadepis.dataset.image_set.commits import done, pairs
from spadepis.dataset.image_set.layout import (
    KINDS,
    OBJECT_FOLDERS,
    SHARDS,
    is_image_file,
    is_shard,
    object_name,
)
from spadepis.dataset.storage.folder import Folder


def named_objects(log: pa.Table) -> set[str]:
    """Names of the files and shards that hold the images of a commit log."""
    names = pa.chunked_array(
        [chunk for kind in KINDS for chunk in log[kind.name_column].chunks], type=pa.string()
    )
    return {object_name(name) for name in pc.unique(names.drop_null()).to_pylist()}


def orphans(folder: Folder, log: pa.Table, subfolders: Sequence[str] = OBJECT_FOLDERS) -> list[str]:
    """Names of the objects in ``subfolders`` that no row of the commit log names."""
    named = named_objects(log)
    return [
        name for subfolder in subfolders for name in folder.names(subfolder) if name not in named
    ]


def remove_orphans(folder: Folder, log: pa.Table, earlier: Iterable[str]) -> None:
    """Remove what writers left that were stopped before they committed it.

    A slow writer may still commit what it has written. So an object is removed if it existed when
    this run began, or if it is a shard whose pairs are all done: their rows in the compacted log
    win over those of the slow writer.

    Args:
        folder: the image set.
        log: what ``compact`` returned.
        earlier: the orphans when this run began.
    """
    finished = pairs(done(log))
    named = named_objects(log)
    for name in sorted(set(earlier) - named):
        # Files of other origin stay, such as inputs that lie in the same folder.
        if is_shard(name) or is_image_file(name):
            folder.remove(name)
    for name in orphans(folder, log, [SHARDS]):
        if is_shard(name) and _pairs_in_shard(folder, name) <= finished:
            folder.remove(name)


def _pairs_in_shard(folder: Folder, name: str) -> set[tuple[str, str | None]]:
    shard = io.BytesIO(folder.read(name))
    return pairs(pq.read_table(shard, columns=["mask_id", "style_id"]))
