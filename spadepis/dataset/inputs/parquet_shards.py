"""Images in Parquet shards: a struct of bytes and path, as Hugging Face writes it, or binary."""

from __future__ import annotations

import bisect
import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import PurePosixPath
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from cachetools import LRUCache, TTLCache, cached

from spadepis.dataset.storage.errors import ShardError, reason
from spadepis.dataset.storage.filesystems import filesystem
from spadepis.dataset.storage.reading import RangeFile
from spadepis.dataset.storage.retrying import attempt

ID_COLUMNS = ("id", "__key__")
# A row group may be as large as all row groups that a process keeps, in bytes.
LARGEST_ROW_GROUP = 1 << 30
KEPT_FOOTERS = 64
# A file that has changed is noticed after this long; asking a store costs a request.
VERSION_SECONDS = 30.0


@dataclass(frozen=True)
class Rows:
    """What stands in a Parquet shard.

    Attributes:
        columns: names of the columns that hold images.
        ids: of the rows; None where a row has none.
    """

    columns: Sequence[str]
    ids: Sequence[str | None]


def list_rows(uri: str) -> Rows:
    """The image columns of a Parquet shard and the ids of its rows. No image is read.

    The id of a row is its column ``id`` or ``__key__``, if there is one of strings or integers,
    else the path in the first image column that has one, without suffix.

    Raises:
        ShardError: it cannot be read, or is damaged.
    """
    try:
        source = RangeFile(uri)
        with pq.ParquetFile(pa.PythonFile(source)) as file:
            rows, size = file.metadata.num_rows, source.seek(0, os.SEEK_END)
            if not 0 <= rows <= size:
                raise ValueError(f"{rows} rows in {size} bytes")
            columns = [field.name for field in file.schema_arrow if _holds_images(field.type)]
            ids = list(_ids(file, columns))
            if len(ids) != rows:
                raise ValueError(f"{len(ids)} of {rows} ids")
    except (OSError, pa.ArrowException, ValueError) as error:
        raise ShardError(f"{uri} cannot be read as a Parquet file ({reason(error)})") from error
    return Rows(columns, ids)


def read_cell(uri: str, column: str, row: int) -> bytes:
    """An encoded image of a Parquet shard.

    The row groups used last are kept, so that reading rows in their order reads each group once.

    Raises:
        OSError: the row group cannot be read or is too large, or the row holds no bytes.
    """
    try:
        version = _version(uri)
        first_rows = _first_rows(uri, version)
        if not row < first_rows[-1]:
            raise OSError(errno.ENOENT, f"has {first_rows[-1]} rows")
        group = bisect.bisect_right(first_rows, row) - 1
        cell = _row_group(uri, version, column, group)[row - first_rows[group]].as_py()
    except (pa.ArrowException, ValueError, LookupError) as error:
        raise OSError(errno.EIO, f"damaged: {reason(error)}") from error
    content = cell["bytes"] if isinstance(cell, dict) else cell
    if content is None:
        raise OSError(errno.ENODATA, "the row holds no bytes")
    return bytes(content)


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _is_binary(kind.field(index).type)
    return _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _ids(file: pq.ParquetFile, image_columns: Sequence[str]) -> Iterator[str | None]:
    schema = file.schema_arrow
    for name in ID_COLUMNS:
        index = schema.get_field_index(name)
        if index >= 0:
            kind = schema.field(index).type
            if _is_string(kind) or pa.types.is_integer(kind):
                for value in _values(file, name):
                    yield None if value in (None, "") else str(value)
                return
    for name in image_columns:
        kind = schema.field(name).type
        index = kind.get_field_index("path") if pa.types.is_struct(kind) else -1
        if index >= 0 and _is_string(kind.field(index).type):
            for cell in _values(file, f"{name}.path"):
                path = (cell or {}).get("path") or ""
                yield path.removesuffix(PurePosixPath(path).suffix) or None
            return
    yield from [None] * file.metadata.num_rows


def _values(file: pq.ParquetFile, leaf: str) -> Iterator[Any]:
    for batch in file.iter_batches(columns=[leaf]):
        yield from batch.column(0).to_pylist()


@lru_cache(KEPT_FOOTERS)
def _first_rows(uri: str, version: str) -> list[int]:
    """The first row of each row group and, last, the number of rows."""
    metadata = pq.read_metadata(pa.PythonFile(RangeFile(uri)))
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return list(accumulate(sizes, initial=0))


@cached(TTLCache(KEPT_FOOTERS, VERSION_SECONDS), lock=Lock())
def _version(uri: str) -> str:
    """Differs after the file has changed: in size, modification time or entity tag."""
    fs, path = filesystem(uri)
    return str(attempt(fs.ukey, path))


@cached(LRUCache(LARGEST_ROW_GROUP, getsizeof=lambda images: images.nbytes), lock=Lock())
def _row_group(uri: str, version: str, column: str, group: int) -> pa.ChunkedArray:
    """The encoded images of a row group, an array of binary."""
    with pq.ParquetFile(pa.PythonFile(RangeFile(uri))) as file:
        kind = file.schema_arrow.field(column).type
        leaf = f"{column}.bytes" if pa.types.is_struct(kind) else column
        metadata = file.metadata.row_group(group)
        _check_row_group_size(
            sum(
                metadata.column(i).total_uncompressed_size
                for i in range(metadata.num_columns)
                if metadata.column(i).path_in_schema == leaf
            )
        )
        images = file.read_row_group(group, columns=[leaf]).column(0)
    # Repeated values are stored once, and take room for each repetition once they are read.
    _check_row_group_size(images.nbytes)
    return images


def _check_row_group_size(size: int) -> None:
    if size > LARGEST_ROW_GROUP:
        raise OSError(
            errno.EFBIG, f"a row group holds {size >> 20} MiB of images: write smaller row groups"
        )
