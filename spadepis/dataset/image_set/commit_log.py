"""The commit log of an image set: a pair is done exactly when a row of the log names it."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spadepis.dataset.image_set.commits import (
    SCHEMA,
    Commit,
    table_to_parquet,
    to_commits,
    to_table,
)
from spadepis.dataset.image_set.layout import (
    COMMITS,
    COMPACTED,
    commit_file_name,
    compacted_name,
)
from spadepis.dataset.storage.folder import Folder

THREADS = 16


def write_commits(folder: Folder, commits: Sequence[Commit]) -> None:
    """Write a commit file. Its name is the same for the same pairs with the same outcome."""
    outcome = sorted(
        (commit.mask_id, commit.style_id or "", commit.file_name is None) for commit in commits
    )
    name = commit_file_name(json.dumps(outcome).encode())
    folder.write(name, table_to_parquet(to_table(commits)))


def read_log(folder: Folder) -> pa.Table:
    """All settled pairs, a row of ``SCHEMA`` each, sorted by mask and style.

    A done pair wins over a failed one, and any pair of a mask wins over a failure of that mask
    before its styles were chosen. Files may be added and compacted meanwhile.
    """
    return _merge(_read_files(folder, commit_files(folder)))


def read_commits(folder: Folder) -> list[Commit]:
    """What ``read_log`` returns, as objects. This is for small logs."""
    return to_commits(read_log(folder))


def compact(folder: Folder) -> pa.Table:
    """Replace all files of the log by a single one, and return what ``read_log`` returns.

    The new file is written before the others are removed, so that the log says the same at any
    moment. What a slow writer adds meanwhile stays, but the compacted rows win.
    """
    names = commit_files(folder)
    table = _merge(_read_files(folder, names))
    if len(names) > 1 or not all(name.startswith(COMPACTED) for name in names):
        content = table_to_parquet(table)
        compacted = compacted_name(content)
        folder.write(compacted, content)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(folder.remove, [name for name in names if name != compacted]))
    return table


def commit_files(folder: Folder) -> list[str]:
    """Names of the files of the log, compacted ones first."""
    return [name for name in folder.names(COMMITS) if name.endswith(".parquet")]


def _read_files(folder: Folder, names: Sequence[str]) -> pa.Table:
    def read(name: str) -> pa.Table:
        try:
            return pq.read_table(io.BytesIO(folder.read(name)), schema=SCHEMA, use_threads=False)
        except FileNotFoundError:
            return None

    with ThreadPoolExecutor(THREADS) as pool:
        tables = list(pool.map(read, names))
    if any(table is None for table in tables):
        # The log was compacted after it was listed.
        return _read_files(folder, commit_files(folder))
    return pa.concat_tables([SCHEMA.empty_table(), *tables])


def _merge(table: pa.Table) -> pa.Table:
    """Each pair once, sorted. Of several rows with the same outcome the first is kept."""
    if not len(table):
        return table
    keys = {
        "mask": table["mask_id"],
        "style": pc.fill_null(table["style_id"], ""),
        "failed": pc.cast(pc.is_null(table["file_name"]), pa.int8()),
    }
    order = [(key, "ascending") for key in keys]
    rows = pc.sort_indices(pa.table(keys), sort_keys=order)
    masks, styles, failures = (pc.take(keys[key], rows).combine_chunks() for key in keys)
    # The first row of each pair differs from the row before it.
    new = pc.or_(*(pc.not_equal(column[1:], column[:-1]) for column in (masks, styles)))
    first = pa.concat_arrays([pa.array([True]), _as_array(new)])
    # A failure without a style does not count if a row of the same mask with a style follows.
    early = pc.and_(pc.equal(failures[:-1], 1), pc.equal(styles[:-1], ""))
    same = pc.and_(pc.equal(masks[1:], masks[:-1]), pc.not_equal(styles[1:], ""))
    void = pc.and_(early, same)
    last = pa.concat_arrays([_as_array(pc.invert(void)), pa.array([True])])
    rows = rows.filter(pc.and_(first, last))
    # A compacted log is in order already and may be large, so that it is not copied.
    return table if np.array_equal(rows, np.arange(len(table))) else table.take(rows)


def _as_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
