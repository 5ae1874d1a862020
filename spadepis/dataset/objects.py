"""The objects that hold the images of an image set, and those that hold none of them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from spadepis.dataset.folder import Folder

SHARDS = "data"
SUBFOLDERS = ("images", "masks", "contents", SHARDS)
NAME_COLUMNS = ("file_name", "mask_file_name", "content_file_name")


def named_objects(log: pa.Table) -> set[str]:
    """Names of the objects that the commit log ``log`` speaks of: files, or shards of rows."""
    names = pa.chunked_array(
        [chunk for column in NAME_COLUMNS for chunk in log[column].chunks], type=pa.string()
    )
    return {object_name(name) for name in pc.unique(names.drop_null()).to_pylist()}


def object_name(file_name: str) -> str:
    """The object that a file name of the image set is, or, if it is a row of a shard, lies in."""
    return file_name.partition("#")[0]


def orphans(folder: Folder, log: pa.Table, subfolders: Sequence[str] = SUBFOLDERS) -> list[str]:
    """Names of the objects under ``subfolders`` that no row of the commit log names."""
    named = named_objects(log)
    return [
        name for subfolder in subfolders for name in folder.names(subfolder) if name not in named
    ]


def remove_orphan_shards(folder: Folder, log: pa.Table) -> None:
    """Remove the shards that no row names: of writers that were stopped before they committed."""
    for name in orphans(folder, log, [SHARDS]):
        folder.remove(name)
