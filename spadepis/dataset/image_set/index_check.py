"""Comparing the index of a finished image set with its commit log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from spadepis.dataset.image_set.commits import done, failed, rejected
from spadepis.dataset.image_set.index import index_tables
from spadepis.dataset.image_set.layout import (
    CARD,
    COMMAND,
    CONFIGURATION,
    MANIFEST,
    PLAN,
    REPORT,
)
from spadepis.dataset.image_set.records import DamagedFileError, read_record
from spadepis.dataset.image_set.sealed_parquet import SealError, unseal
from spadepis.dataset.image_set.splits import TRAIN, VALIDATION, metadata_of_split
from spadepis.dataset.image_set.verification import Problem
from spadepis.dataset.storage.folder import Folder

PAGES = (CARD, REPORT)
SPLITS = tuple(map(metadata_of_split, (TRAIN, VALIDATION)))
MISSING = "missing"


def index_problems(folder: Folder, log: pa.Table, edited_pages: bool) -> list[Problem]:
    """What is wrong with the manifest, the metadata, the failures, the card and the report.

    Args:
        folder: a finished image set.
        log: its pairs, as ``read_log`` returns them.
        edited_pages: whether a card or report that differs from what was written is a problem;
            somebody may have edited it.
    """
    problems = []
    manifest: Mapping[str, Any] = {}
    try:
        manifest = read_record(folder, MANIFEST)
        problems += _differing_counts(manifest, log)
    except FileNotFoundError:
        problems.append(Problem(MANIFEST, MISSING))
    except DamagedFileError as error:
        problems.append(Problem(MANIFEST, f"damaged ({error.why})"))
    tables = index_tables(log)
    hashes = manifest.get("sha256", {})
    # Manifests of version 0.1 do not say what was written.
    names = {*tables, *hashes} & {*tables, *SPLITS, *PAGES} if hashes else {*tables, *PAGES}
    for name in sorted(names):
        try:
            content = folder.read(name)
        except FileNotFoundError:
            problems.append(Problem(name, MISSING))
            continue
        if name in tables and not _holds(content, tables[name]):
            problems.append(Problem(name, "differs from the commit log"))
            continue
        written = hashes.get(name) in (None, hashlib.sha256(content).hexdigest())
        if not written and (edited_pages or name not in PAGES):
            problems.append(Problem(name, "is not what was written (another SHA-256)"))
    if not folder.exists(CONFIGURATION):
        problems.append(Problem(CONFIGURATION, MISSING))
    records = (CONFIGURATION, PLAN, COMMAND)
    return problems + [problem for name in records for problem in _damage(folder, name)]


def _differing_counts(manifest: Mapping[str, Any], log: pa.Table) -> list[Problem]:
    counts = {
        "pairs": len(log),
        "done": len(done(log)),
        "failed": len(failed(log)),
        "rejected": len(rejected(log)),
    }
    return [
        Problem(MANIFEST, f"has {manifest[name]} {name}, the commit log {count}")
        for name, count in counts.items()
        if manifest.get(name, count) != count
    ]


def _holds(content: bytes, rows: pa.Table) -> bool:
    """Whether a Parquet file holds some rows; other versions may have written other columns."""
    try:
        stored = unseal(content)
    except SealError:
        return False
    common = [name for name in rows.column_names if name in stored.column_names]
    return bool(common) and stored.select(common).equals(rows.select(common))


def _damage(folder: Folder, name: str) -> list[Problem]:
    """What is wrong with a record, if it is there."""
    try:
        read_record(folder, name)
    except FileNotFoundError:
        return []
    except DamagedFileError as error:
        return [Problem(name, f"damaged ({error.why})")]
    return []
