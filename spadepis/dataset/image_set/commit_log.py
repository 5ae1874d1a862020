"""The commit log of an image set: a pair is done exactly when a row of it names the pair."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spadepis.dataset.storage.folder import Folder
from spadepis.quality.metrics import METRICS

COMMITS = "_commits"
CONFIGURATION = f"{COMMITS}/configuration.json"
PLAN = f"{COMMITS}/plan.json"
# Sorts before "part-".
COMPACTED = f"{COMMITS}/compacted-"
# Type of the error of pairs whose result was not good enough.
REJECTED = "Rejected"
THREADS = 16


@dataclass(frozen=True)
class Commit:
    """One pair of a mask (or photo) and a style, done or failed.

    Attributes:
        mask_id: id of the label map, or of the photo where photos are stylized.
        style_id: id of the style; None where masks are only synthesized.
        mask_source: path or URI that the mask was read from.
        style_source: the same of the style.
        file_name: the result, relative to the image set; None if the pair failed.
        mask_file_name: the label map at the size of the result, if there is one.
        content_file_name: the photo before stylization, if it is kept.
        image_sha256: of the encoded result, in hexadecimal digits, as are the others.
        mask_sha256: of the encoded label map.
        content_sha256: of the encoded photo before stylization.
        height: of the result, in pixels.
        width: of the result, in pixels.
        stage: the stage that failed; None if the pair is done.
        source: the file that the failed stage was working on.
        error: type of the error.
        message: what went wrong.
        classes: names of the classes in the label map, if there is one.
        quality: metrics of the result by name, a column each; see ``quality.metrics``.
        committed: when the pair was settled.
        seconds: time spent on this pair by stage; work shared by a mask's styles is divided.
    """

    mask_id: str
    style_id: str | None
    mask_source: str
    style_source: str | None
    file_name: str | None = None
    mask_file_name: str | None = None
    content_file_name: str | None = None
    image_sha256: str | None = None
    mask_sha256: str | None = None
    content_sha256: str | None = None
    height: int | None = None
    width: int | None = None
    stage: str | None = None
    source: str | None = None
    error: str | None = None
    message: str | None = None
    classes: list[str] | None = None
    quality: dict[str, float | None] = field(default_factory=dict)
    committed: datetime | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def pair(self) -> tuple[str, str | None]:
        """What identifies the pair."""
        return self.mask_id, self.style_id

    @property
    def failed(self) -> bool:
        """Whether the pair has no result, since something went wrong."""
        return self.file_name is None and not self.rejected

    @property
    def rejected(self) -> bool:
        """Whether the pair has no result, since it was not good enough."""
        return self.error == REJECTED


SCHEMA = pa.schema(
    [
        ("mask_id", pa.string()),
        ("style_id", pa.string()),
        ("mask_source", pa.string()),
        ("style_source", pa.string()),
        ("file_name", pa.string()),
        ("mask_file_name", pa.string()),
        ("content_file_name", pa.string()),
        ("image_sha256", pa.string()),
        ("mask_sha256", pa.string()),
        ("content_sha256", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("stage", pa.string()),
        ("source", pa.string()),
        ("error", pa.string()),
        ("message", pa.string()),
        ("classes", pa.list_(pa.string())),
        *((name, pa.float32()) for name in METRICS),
        ("committed", pa.timestamp("ms", "UTC")),
        ("seconds", pa.map_(pa.string(), pa.float64())),
    ]
)


def write_commits(folder: Folder, commits: Sequence[Commit]) -> None:
    """Write one commit file; the same pairs with the same outcome give the same file name."""
    outcome = sorted(
        (commit.mask_id, commit.style_id or "", commit.file_name is None) for commit in commits
    )
    digest = hashlib.sha256(json.dumps(outcome).encode()).hexdigest()[:32]
    folder.write(f"{COMMITS}/part-{digest}.parquet", table_to_parquet(to_table(commits)))


def read_log(folder: Folder) -> pa.Table:
    """All pairs in the log, a row of ``SCHEMA`` each, sorted by mask and style.

    Done wins over failed, and any pair of a mask over its failure before styles were chosen.
    Files may come and go meanwhile.
    """
    return _merge(_read_files(folder, commit_files(folder)))


def read_commits(folder: Folder) -> list[Commit]:
    """What ``read_log`` gives, an object a row: for logs that are not large."""
    return to_commits(read_log(folder))


def compact(folder: Folder) -> pa.Table:
    """Make one file of all files of the log, and return what ``read_log`` gives.

    The one file is written before the others are removed: stopped in between, the log says the
    same twice. What a late writer adds meanwhile stays, but the compacted rows come first.
    """
    names = commit_files(folder)
    table = _merge(_read_files(folder, names))
    if len(names) > 1 or not all(name.startswith(COMPACTED) for name in names):
        content = table_to_parquet(table)
        compacted = f"{COMPACTED}{hashlib.sha256(content).hexdigest()[:32]}.parquet"
        folder.write(compacted, content)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(folder.remove, [name for name in names if name != compacted]))
    return table


def commit_files(folder: Folder) -> list[str]:
    """Names of the files of the log, compacted ones first."""
    return [name for name in folder.names(COMMITS) if name.endswith(".parquet")]


def to_table(commits: Iterable[Commit]) -> pa.Table:
    """Rows of ``SCHEMA``."""
    rows = [asdict(commit) | commit.quality for commit in commits]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def to_commits(table: pa.Table) -> list[Commit]:
    """The rows of a table of ``SCHEMA``."""
    commits = []
    for row in table.to_pylist():
        metrics = {name: row.pop(name) for name in METRICS}
        quality = {name: value for name, value in metrics.items() if value is not None}
        commits.append(Commit(**row | {"quality": quality, "seconds": dict(row["seconds"])}))
    return commits


def pairs(table: pa.Table) -> set[tuple[str, str | None]]:
    """What identifies the rows of a table of ``SCHEMA``."""
    return set(zip(table["mask_id"].to_pylist(), table["style_id"].to_pylist(), strict=True))


def done(table: pa.Table) -> pa.Table:
    """The rows that have a result."""
    return table.filter(pc.field("file_name").is_valid())


def failed(table: pa.Table) -> pa.Table:
    """The rows that have none, since something went wrong."""
    return table.filter(pc.field("file_name").is_null() & ~_is_rejected())


def rejected(table: pa.Table) -> pa.Table:
    """The rows that have none, since it was not good enough."""
    return table.filter(_is_rejected())


def _is_rejected() -> pc.Expression:
    return pc.coalesce(pc.field("error"), "") == REJECTED


def _read_files(folder: Folder, names: Sequence[str]) -> pa.Table:
    def read(name: str) -> pa.Table:
        try:
            return pq.read_table(io.BytesIO(folder.read(name)), schema=SCHEMA, use_threads=False)
        except FileNotFoundError:
            return None

    with ThreadPoolExecutor(THREADS) as pool:
        tables = list(pool.map(read, names))
    if any(table is None for table in tables):
        # Compacted since it was listed.
        return _read_files(folder, commit_files(folder))
    return pa.concat_tables([SCHEMA.empty_table(), *tables])


def _merge(table: pa.Table) -> pa.Table:
    """Each pair once, sorted; of rows with the same outcome the first."""
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
    # A pair stands once where it differs from the row before.
    new = pc.or_(*(pc.not_equal(column[1:], column[:-1]) for column in (masks, styles)))
    first = pa.concat_arrays([pa.array([True]), _as_array(new)])
    # A failure without a style is void before a row of the same mask that has one.
    early = pc.and_(pc.equal(failures[:-1], 1), pc.equal(styles[:-1], ""))
    same = pc.and_(pc.equal(masks[1:], masks[:-1]), pc.not_equal(styles[1:], ""))
    void = pc.and_(early, same)
    last = pa.concat_arrays([_as_array(pc.invert(void)), pa.array([True])])
    rows = rows.filter(pc.and_(first, last))
    # A compacted log is in order already, and may be large.
    return table if np.array_equal(rows, np.arange(len(table))) else table.take(rows)


def _as_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def table_to_parquet(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
