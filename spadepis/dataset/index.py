"""The index of an image set, made from its commit log when all pairs are settled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from spadepis.dataset.commit_log import SCHEMA, Commit, to_parquet
from spadepis.dataset.folder import Folder

METADATA = "metadata.parquet"
FAILURES = "failures.parquet"
CARD = "README.md"
REPORT = "report.html"
MANIFEST = "_SUCCESS"
METADATA_COLUMNS = (
    "file_name",
    "mask_file_name",
    "content_file_name",
    "mask_id",
    "style_id",
    "height",
    "width",
    "mask_source",
    "style_source",
)
FAILURE_COLUMNS = ("mask_id", "style_id", "stage", "source", "error", "message")
FILE_COLUMNS = ("mask_file_name", "content_file_name")


def write_index(
    folder: Folder,
    commits: Sequence[Commit],
    pages: Mapping[str, str],
    manifest: Mapping[str, Any],
) -> None:
    """Write the metadata, the failures, the pages and, last, the manifest.

    Args:
        folder: the image set.
        commits: all pairs of it.
        pages: texts for people by file name: the dataset card and the report.
        manifest: says that the set is finished, and how.
    """
    done = [asdict(commit) for commit in commits if not commit.failed]
    failed = [asdict(commit) for commit in commits if commit.failed]
    # Hugging Face's image folder takes a *_file_name column for images, and fails on null ones.
    absent = {name for name in FILE_COLUMNS if all(row[name] is None for row in done)}
    columns = [name for name in METADATA_COLUMNS if name not in absent]
    folder.write(METADATA, to_parquet(done, _schema(columns)))
    folder.write(FAILURES, to_parquet(failed, _schema(FAILURE_COLUMNS)))
    for name, text in pages.items():
        folder.write(name, text.encode())
    folder.write(MANIFEST, json.dumps(manifest, indent=2).encode())


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([SCHEMA.field(name) for name in columns])
