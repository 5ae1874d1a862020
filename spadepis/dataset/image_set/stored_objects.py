"""The objects that hold the images of an image set, and those that hold none of them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spadepis.dataset.image_set.commit_log import done, pairs
from spadepis.dataset.image_set.file_names import may_be_written
from spadepis.dataset.inputs.shards import read_source
from spadepis.dataset.storage.folder import Folder

SHARDS = "data"
# Of an image in a shard.
MOST_BYTES = 1 << 30
SUBFOLDERS = ("images", "masks", "contents", SHARDS)
_SHARD = re.compile(r"data/part-[0-9a-f]{32}\.parquet")
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


def read_image(folder: Folder, file_name: str) -> bytes:
    """The encoded image that a file name of the image set is, a file or a row of a shard."""
    if object_name(file_name) == file_name:
        return folder.read(file_name)
    return read_source(f"{folder.uri}/{file_name}", MOST_BYTES)


def orphans(folder: Folder, log: pa.Table, subfolders: Sequence[str] = SUBFOLDERS) -> list[str]:
    """Names of the objects under ``subfolders`` that no row of the commit log names."""
    named = named_objects(log)
    return [
        name for subfolder in subfolders for name in folder.names(subfolder) if name not in named
    ]


def remove_orphans(folder: Folder, log: pa.Table, earlier: Iterable[str]) -> None:
    """Remove what writers left that were stopped before they committed it.

    A writer that is only late may still commit what it wrote. So an object goes if it was there
    when this run began, or if it is a shard of pairs that are all done: their rows in the compacted
    log win over those of the late writer.

    Args:
        folder: the image set.
        log: what ``compact`` gave.
        earlier: the orphans when this run began.
    """
    finished = pairs(done(log))
    kept = named_objects(log)
    for name in sorted(set(earlier) - kept):
        # What else lies there, be it the job's own inputs, is not the writers'.
        if _SHARD.fullmatch(name) or may_be_written(name):
            folder.remove(name)
    for name in orphans(folder, log, [SHARDS]):
        if _SHARD.fullmatch(name) and _pairs_in_shard(folder, name) <= finished:
            folder.remove(name)


def _pairs_in_shard(folder: Folder, name: str) -> set[tuple[str, str | None]]:
    shard = io.BytesIO(folder.read(name))
    return pairs(pq.read_table(shard, columns=["mask_id", "style_id"]))
