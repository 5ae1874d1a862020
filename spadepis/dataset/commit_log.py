"""The commit log of an image set: a pair is done exactly when a row of it names the pair."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spadepis.dataset.folder import Folder

COMMITS = "_commits"
CONFIGURATION = f"{COMMITS}/configuration.json"


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
        height: of the result, in pixels.
        width: of the result, in pixels.
        stage: the stage that failed; None if the pair is done.
        source: the file that the failed stage was working on.
        error: type of the error.
        message: what went wrong.
        seconds: time spent on this pair by stage; work shared by a mask's styles is divided.
    """

    mask_id: str
    style_id: str | None
    mask_source: str
    style_source: str | None
    file_name: str | None = None
    mask_file_name: str | None = None
    content_file_name: str | None = None
    height: int | None = None
    width: int | None = None
    stage: str | None = None
    source: str | None = None
    error: str | None = None
    message: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def pair(self) -> tuple[str, str | None]:
        """What identifies the pair."""
        return self.mask_id, self.style_id

    @property
    def failed(self) -> bool:
        """Whether the pair has no result."""
        return self.file_name is None


SCHEMA = pa.schema(
    [
        ("mask_id", pa.string()),
        ("style_id", pa.string()),
        ("mask_source", pa.string()),
        ("style_source", pa.string()),
        ("file_name", pa.string()),
        ("mask_file_name", pa.string()),
        ("content_file_name", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("stage", pa.string()),
        ("source", pa.string()),
        ("error", pa.string()),
        ("message", pa.string()),
        ("seconds", pa.map_(pa.string(), pa.float64())),
    ]
)


def write_commits(folder: Folder, commits: Sequence[Commit]) -> None:
    """Write one commit file; the same pairs with the same outcome give the same file name."""
    outcome = sorted((commit.mask_id, commit.style_id or "", commit.failed) for commit in commits)
    digest = hashlib.sha256(json.dumps(outcome).encode()).hexdigest()[:32]
    rows = [asdict(commit) for commit in commits]
    folder.write(f"{COMMITS}/part-{digest}.parquet", to_parquet(rows, SCHEMA))


def read_commits(folder: Folder) -> list[Commit]:
    """All pairs in the log, each once, sorted by mask and style; done wins over failed."""
    latest: dict[tuple[str, str | None], Commit] = {}
    for name in folder.names(COMMITS):
        if not name.endswith(".parquet"):
            continue
        for row in pq.read_table(io.BytesIO(folder.read(name))).to_pylist():
            commit = Commit(**row | {"seconds": dict(row["seconds"])})
            if commit.pair not in latest or latest[commit.pair].failed:
                latest[commit.pair] = commit
    return sorted(latest.values(), key=lambda commit: (commit.mask_id, commit.style_id or ""))


def to_parquet(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> bytes:
    """Rows as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), buffer)
    return buffer.getvalue()
