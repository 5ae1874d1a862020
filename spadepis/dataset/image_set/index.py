"""The index of an image set, which is made from its commit log when all pairs are settled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spadepis.dataset.image_set.commits import done, failed, rejected, table_to_parquet
from spadepis.dataset.image_set.layout import FAILURES, MANIFEST, METADATA, REJECTIONS
from spadepis.dataset.image_set.records import DamagedFileError, write_record
from spadepis.dataset.image_set.sealed_parquet import SealError, unseal
from spadepis.dataset.image_set.splits import TRAIN, VALIDATION, metadata_of_split, split_of
from spadepis.dataset.storage.folder import Folder
from spadepis.quality.metrics import METRICS

METADATA_COLUMNS = (
    "file_name",
    "mask_file_name",
    "content_file_name",
    "instance_file_name",
    "mask_id",
    "style_id",
    "height",
    "width",
    "mask_source",
    "photo_source",
    "style_source",
    "classes",
    *METRICS,
)
FAILURE_COLUMNS = ("mask_id", "style_id", "stage", "source", "error", "message")
# Left out if all values are null, on which Hugging Face's image folder fails.
OPTIONAL_COLUMNS = (
    "mask_file_name",
    "content_file_name",
    "instance_file_name",
    "mask_source",
    "photo_source",
    "classes",
    *METRICS,
)


def write_index(
    folder: Folder,
    log: pa.Table,
    pages: Mapping[str, str],
    manifest: Mapping[str, Any],
    split_by: str | None = None,
) -> None:
    """Write the metadata, the failures, the pages and, last, the manifest with their hashes.

    Args:
        folder: the image set.
        log: all pairs of the set, as ``read_log`` returns them.
        pages: the dataset card and the report by file name.
        manifest: how the set was finished.
        split_by: the rule of ``split_of``, if the metadata are also written by split.
    """
    tables = index_tables(log)
    if split_by is not None:
        for split, rows in rows_by_split(tables[METADATA], split_by).items():
            tables[metadata_of_split(split)] = rows
    files = {name: table_to_parquet(table) for name, table in tables.items()}
    files |= {name: text.encode() for name, text in pages.items()}
    # Until all are written, an earlier manifest would vouch for some of them.
    folder.remove(MANIFEST)
    for name, content in files.items():
        folder.write(name, content)
    for split in (TRAIN, VALIDATION):
        # The rule of an earlier run may have put scenes into a split that has none now.
        if (name := metadata_of_split(split)) not in files:
            folder.remove(name)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    write_record(folder, MANIFEST, {**manifest, "sha256": hashes})


def index_tables(log: pa.Table) -> dict[str, pa.Table]:
    """The tables of the index, by file name."""
    finished, not_good_enough = done(log), rejected(log)
    tables = {
        METADATA: finished.select(metadata_columns(finished)),
        FAILURES: failed(log).select(FAILURE_COLUMNS),
    }
    if len(not_good_enough):
        tables[REJECTIONS] = not_good_enough.select(FAILURE_COLUMNS)
    return tables


def read_metadata(folder: Folder, name: str = METADATA, sha256: str | None = None) -> pa.Table:
    """The metadata of a finished image set, or of one of its splits.

    Args:
        folder: the image set.
        name: of the file with the metadata.
        sha256: of the file, if it is known; version 0.1 wrote none into the manifest.

    Raises:
        FileNotFoundError: the folder holds no finished image set.
        DamagedFileError: the metadata are damaged.
    """
    content = folder.read(name)
    if sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise DamagedFileError(folder, name, f"its SHA-256 is not that in {MANIFEST}")
    try:
        return unseal(content)
    except SealError as error:
        raise DamagedFileError(folder, name, str(error)) from error


def metadata_columns(finished: pa.Table) -> list[str]:
    """The columns of the metadata of some done pairs, without those that have no value."""
    absent = {name for name in OPTIONAL_COLUMNS if finished[name].null_count == len(finished)}
    return [name for name in METADATA_COLUMNS if name not in absent]


def rows_by_split(images: pa.Table, split_by: str) -> dict[str, pa.Table]:
    """The images of each split that has any.

    Args:
        images: rows with a ``mask_id``.
        split_by: the rule of ``split_of``.
    """
    splits = pa.array([split_of(id, split_by) for id in images["mask_id"].to_pylist()], pa.string())
    found = {split: images.filter(pc.equal(splits, split)) for split in (TRAIN, VALIDATION)}
    return {split: rows for split, rows in found.items() if len(rows)}
