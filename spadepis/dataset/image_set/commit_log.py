"""The commit log of an image set: a pair is done exactly when a row of the log names it."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spadepis.dataset.image_set.commits import (
    SCHEMA,
    Commit,
    to_commits,
    to_table,
)
from spadepis.dataset.image_set.layout import (
    COMMITS,
    COMPACTED,
    KINDS,
    commit_file_name,
    compacted_name,
)
from spadepis.dataset.image_set.records import DamagedFileError
from spadepis.dataset.image_set.sealed_parquet import SealError, seal, unseal
from spadepis.dataset.storage.folder import Folder

log = logging.getLogger(__name__)

THREADS = 16
# Added to the name of a file of the log that was set aside.
DAMAGED = ".damaged"


def write_commits(folder: Folder, commits: Sequence[Commit]) -> None:
    """Write a commit file. Its name is the same for the same pairs with the same outcome."""
    outcome = sorted(
        (commit.mask_id, commit.style_id or "", commit.file_name is None) for commit in commits
    )
    name = commit_file_name(json.dumps(outcome).encode())
    folder.write(name, seal(to_table(commits)))


def read_log(folder: Folder) -> pa.Table:
    """All settled pairs, a row of ``SCHEMA`` each, sorted by mask and style.

    A done pair wins over a failed one, a failure over an earlier one of the same pair, and any pair
    of a mask over a failure of that mask before its styles were chosen. Files may be added and
    compacted meanwhile.

    Raises:
        DamagedFileError: a file of the log is not what was written.
    """
    return _merge(_read_files(folder, commit_files(folder)))


def recover_log(folder: Folder) -> pa.Table:
    """What ``read_log`` returns, with damaged files set aside: their pairs are no longer settled.

    Only the job that holds the image set may do this.
    """
    while True:
        try:
            return read_log(folder)
        except DamagedFileError as error:
            aside = f"{error.name}{DAMAGED}"
            folder.write(aside, folder.read(error.name))
            folder.remove(error.name)
            log.warning(
                "%s/%s is damaged (%s). It is kept as %s, and the pairs that it recorded are done "
                "again",
                folder.uri,
                error.name,
                error.why,
                aside,
            )


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
        _replace_files(folder, names, table)
    return table


def forget(folder: Folder, objects: Collection[str]) -> pa.Table:
    """Remove the rows that name any of some objects, and return what ``read_log`` returns.

    Their pairs are then no longer settled. Only the job that holds the image set may do this.
    """
    names = commit_files(folder)
    table = _merge(_read_files(folder, names))
    kept = table.filter(pc.invert(_named(table, objects)))
    _replace_files(folder, names, kept)
    return kept


def rows_of(table: pa.Table, objects: Collection[str]) -> pa.Table:
    """The rows that name any of some objects."""
    return table.filter(_named(table, objects))


def _named(table: pa.Table, objects: Collection[str]) -> pa.Array:
    """Whether each row names any of some objects."""
    wanted = pa.array(objects, pa.string())
    named = pa.array(np.zeros(len(table), np.bool_))
    for kind in KINDS:
        # The part of a name before "#" is the shard that the image is in.
        held_by = pc.replace_substring_regex(table[kind.name_column], "#.*", "")
        named = pc.or_(named, pc.is_in(held_by, wanted))
    return named


def commit_files(folder: Folder) -> list[str]:
    """Names of the files of the log, compacted ones first."""
    return [name for name in folder.names(COMMITS) if name.endswith(".parquet")]


def _replace_files(folder: Folder, names: Sequence[str], table: pa.Table) -> None:
    """Write the log as one file, and remove the others afterwards."""
    content = seal(table)
    compacted = compacted_name(content)
    folder.write(compacted, content)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(folder.remove, [name for name in names if name != compacted]))


def _read_files(folder: Folder, names: Sequence[str]) -> pa.Table:
    with ThreadPoolExecutor(THREADS) as pool:
        tables = list(pool.map(partial(_read_file, folder), names))
    if any(table is None for table in tables):
        # The log was compacted after it was listed.
        return _read_files(folder, commit_files(folder))
    return pa.concat_tables([SCHEMA.empty_table(), *tables])


def _read_file(folder: Folder, name: str) -> pa.Table | None:
    """The rows of a file of the log; None if it was removed since it was listed."""
    try:
        content = folder.read(name)
    except FileNotFoundError:
        return None
    try:
        return unseal(content, SCHEMA)
    except SealError as error:
        raise DamagedFileError(folder, name, str(error)) from error


def _merge(table: pa.Table) -> pa.Table:
    """Each pair once, sorted. Of several results the first is kept, of failures the latest."""
    if not len(table):
        return table
    has_failed = pc.is_null(table["file_name"])
    committed = pc.fill_null(pc.cast(table["committed"], pa.int64()), 0)
    keys = {
        "mask": table["mask_id"],
        "style": pc.fill_null(table["style_id"], ""),
        "failed": pc.cast(has_failed, pa.int8()),
        "age": pc.if_else(has_failed, pc.negate(committed), 0),
    }
    order = [(key, "ascending") for key in keys]
    rows = pc.sort_indices(pa.table(keys), sort_keys=order)
    masks, styles = (pc.take(keys[key], rows).combine_chunks() for key in ("mask", "style"))
    # The first row of each pair differs from the row before it.
    new = pc.or_(*(pc.not_equal(column[1:], column[:-1]) for column in (masks, styles)))
    rows = rows.filter(pa.concat_arrays([pa.array([True]), _as_array(new)]))
    masks, styles, failures = (
        pc.take(keys[key], rows).combine_chunks() for key in ("mask", "style", "failed")
    )
    # A failure without a style does not count if a row of the same mask with a style follows.
    early = pc.and_(pc.equal(failures[:-1], 1), pc.equal(styles[:-1], ""))
    same = pc.and_(pc.equal(masks[1:], masks[:-1]), pc.not_equal(styles[1:], ""))
    counts = pc.invert(pc.and_(early, same))
    rows = rows.filter(pa.concat_arrays([_as_array(counts), pa.array([True])]))
    # A compacted log is in order already and may be large, so that it is not copied.
    return table if np.array_equal(rows, np.arange(len(table))) else table.take(rows)


def _as_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
