"""Commits: what is recorded of each settled pair, as objects and as rows of a table."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spadepis.quality.metrics import METRICS

# The type of error of pairs whose result was not good enough.
REJECTED = "Rejected"
# Version 0.1 wrote no revision.
FIRST_REVISION = 1
# Converting a table to Python objects lets no other thread run.
ROWS_AT_A_TIME = 100_000

Bytes: TypeAlias = int
# The type of a column, by the annotation of its field.
COLUMN_TYPES = {
    "str": pa.string(),
    "str | None": pa.string(),
    "int | None": pa.int32(),
    "Bytes | None": pa.int64(),
    "list[str] | None": pa.list_(pa.string()),
    "datetime | None": pa.timestamp("ms", "UTC"),
    "dict[str, float]": pa.map_(pa.string(), pa.float64()),
}


@dataclass(frozen=True)
class Commit:
    """A pair of a mask (or photo) and a style that is settled: done, failed or rejected.

    Attributes:
        mask_id: id of the label map, or of the photo if photos are stylized.
        style_id: id of the style; None if masks are only synthesized.
        mask_source: path or URI that the label map was read from, if there is one. In rows of
            version 0.1 it is that of the photo if photos are stylized.
        style_source: path or URI that the style was read from.
        file_name: name of the result in the image set; None if the pair has no result.
        mask_file_name: name of the label map at the size of the result, if there is one.
        content_file_name: name of the photo before stylization, if it is kept.
        image_sha256: hexadecimal SHA-256 of the encoded result.
        mask_sha256: the same of the encoded label map.
        content_sha256: the same of the encoded photo before stylization.
        height: height of the result, in pixels.
        width: width of the result, in pixels.
        stage: the stage that failed; None if the pair is done.
        source: the file that the failed stage was working on.
        error: type of the error.
        message: what went wrong.
        classes: names of the classes in the label map, if there is one.
        quality: metrics of the result by name, a column each; see ``quality.metrics``.
        committed: when the pair was settled.
        photo_source: path or URI that the photo was read from, if photos are stylized.
        revision: pixel revision; None in rows of version 0.1, which counts as 1.
        image_bytes: size of the object that holds the result: its file, or the shard it is in;
            None in rows of version 0.1.
        mask_bytes: size of the object that holds the label map.
        content_bytes: size of the object that holds the photo before stylization.
        instance_file_name: name of the instance map at the size of the result, if it is kept.
        instance_sha256: the same of the encoded instance map.
        instance_bytes: size of the object that holds the instance map.
        identity: hash of what the image set is made with; None in rows of version 0.1.
        seconds: time spent on this pair by stage; work shared by a mask's styles is divided.
    """

    mask_id: str
    style_id: str | None
    mask_source: str | None
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
    photo_source: str | None = None
    revision: int | None = None
    image_bytes: Bytes | None = None
    mask_bytes: Bytes | None = None
    content_bytes: Bytes | None = None
    instance_file_name: str | None = None
    instance_sha256: str | None = None
    instance_bytes: Bytes | None = None
    identity: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def pair(self) -> tuple[str, str | None]:
        """The ids of the mask and the style, which identify the pair."""
        return self.mask_id, self.style_id

    @property
    def failed(self) -> bool:
        """Whether the pair has no result because something went wrong."""
        return self.file_name is None and not self.rejected

    @property
    def rejected(self) -> bool:
        """Whether the pair has no result because it was not good enough."""
        return self.error == REJECTED


SCHEMA = pa.schema(
    column
    for attribute in fields(Commit)
    for column in (
        [(metric, pa.float32()) for metric in METRICS]
        if attribute.name == "quality"
        else [(attribute.name, COLUMN_TYPES[str(attribute.type)])]
    )
)
"""The columns of the commit log: the fields of ``Commit``, with a column for each metric."""


def to_table(commits: Iterable[Commit]) -> pa.Table:
    """A table of ``SCHEMA`` with a row for each commit."""
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
    """The ids of mask and style of each row of a table."""
    found: set[tuple[str, str | None]] = set()
    # In batches, so that the heartbeat of the lease is not held up.
    for batch in table.select(["mask_id", "style_id"]).to_batches(ROWS_AT_A_TIME):
        found.update(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    return found


def done(table: pa.Table) -> pa.Table:
    """The rows that have a result."""
    return table.filter(pc.field("file_name").is_valid())


def failed(table: pa.Table) -> pa.Table:
    """The rows without a result because something went wrong."""
    return table.filter(pc.field("file_name").is_null() & ~_is_rejected())


def rejected(table: pa.Table) -> pa.Table:
    """The rows without a result because it was not good enough."""
    return table.filter(_is_rejected())


def table_to_parquet(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def revisions(table: pa.Table) -> dict[int, int]:
    """The number of rows by pixel revision."""
    counts = Counter(table["revision"].fill_null(FIRST_REVISION).to_pylist())
    return dict(sorted(counts.items()))


def of_another_identity(table: pa.Table, identity: str) -> pa.Table:
    """The rows of images that were made with something else; those of version 0.1 do not say."""
    return table.filter(pc.field("identity") != identity)


def _is_rejected() -> pc.Expression:
    return pc.coalesce(pc.field("error"), "") == REJECTED
