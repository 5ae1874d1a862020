"""Images in Parquet shards: a struct of bytes and path, as Hugging Face writes it, or binary."""

from __future__ import annotations

import bisect
import errno
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import PurePosixPath
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from cachetools import LRUCache, TTLCache, cached

from spadepis.dataset.inputs.errors import ShardError
from spadepis.dataset.inputs.suffixes import IMAGE_SUFFIXES, suffix_of
from spadepis.dataset.storage.filesystems import filesystem
from spadepis.dataset.storage.reading import RangeFile, read
from spadepis.dataset.storage.retrying import attempt
from spadepis.filesystem_errors import reason

ID_COLUMNS = ("id", "__key__")
EXAMINED_PATHS = 100
# A row group may be as large as all row groups that a process keeps, in bytes.
LARGEST_ROW_GROUP = 1 << 30
KEPT_FOOTERS = 64
# A file that has changed is noticed after this long; asking a store costs a request.
VERSION_SECONDS = 30.0
_BINARY = (pa.binary(), pa.large_binary(), pa.binary_view())
_STRINGS = (pa.string(), pa.large_string(), pa.string_view())


def list_rows(uri: str) -> tuple[Sequence[str], Sequence[str | None]]:
    """The image columns of a Parquet shard and the ids of its rows. No image is read.

    The id of a row is its column ``id`` or ``__key__``, which has to be of strings or integers,
    else the path in the first image column that has one, without suffix; None where that is
    nothing. Where there are no images, columns of strings count that are paths of images in the
    folder of the shard.

    Raises:
        ShardError: it cannot be read, is damaged, or has ids of another type.
    """
    try:
        source = RangeFile(uri)
        with pq.ParquetFile(pa.PythonFile(source)) as file:
            rows, size = file.metadata.num_rows, source.seek(0, os.SEEK_END)
            if not 0 <= rows <= size:
                raise ValueError(f"{rows} rows in {size} bytes")
            _check_names(file.schema_arrow.names)
            columns = _image_columns(file)
            ids = list(_ids(file, columns))
            if len(ids) != rows:
                raise ValueError(f"{len(ids)} of {rows} ids")
    except (OSError, pa.ArrowException, ValueError) as error:
        raise ShardError(f"{uri} cannot be read as a Parquet file ({reason(error)})") from error
    return columns, ids


def read_cell(uri: str, column: str, row: int) -> bytes:
    """An encoded image of a Parquet shard.

    A row that holds no bytes but the path of an image is read from that file, which has to lie in
    the folder of the shard. The row groups used last are kept, so that reading rows in their order
    reads each group once.

    Raises:
        OSError: the row group cannot be read or is too large, or the row holds no image.
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
    if isinstance(cell, dict):
        cell = cell.get("path") if cell.get("bytes") is None else cell["bytes"]
    if cell is None:
        raise OSError(errno.ENODATA, "the row holds no bytes")
    return read(_beside(uri, cell)) if isinstance(cell, str) else bytes(cell)


def _check_names(names: Sequence[str]) -> None:
    """Refuse a file with two columns of the same name, of which neither can be chosen."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"it has several columns {twice}")


def _beside(uri: str, path: str) -> str:
    """A file in the folder of a shard, by its path relative to it."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "://" in path:
        raise OSError(
            errno.EINVAL, f"the row holds no bytes, and its path {path!r} is not below its folder"
        )
    return f"{uri.rpartition('/')[0]}/{path}"


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        names = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
        if "bytes" in names:
            return _is_binary(names["bytes"]) or pa.types.is_null(names["bytes"])
        return "path" in names and names["path"] in _STRINGS
    return _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return kind in _BINARY or (is_list and bool(pa.types.is_uint8(kind.value_type)))


def _is_id(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_id(kind.value_type)
    return kind in _STRINGS or bool(pa.types.is_integer(kind) or pa.types.is_null(kind))


def _image_columns(file: pq.ParquetFile) -> list[str]:
    """Columns of images; where there are none, those of paths of images."""
    fields = list(file.schema_arrow)
    columns = [field.name for field in fields if _holds_images(field.type)]
    if columns:
        return columns
    strings = [field.name for field in fields if field.type in _STRINGS]
    return [name for name in strings if name not in ID_COLUMNS and _are_paths(file, name)]


def _are_paths(file: pq.ParquetFile, column: str) -> bool:
    """Whether the first values are names of image files."""
    values = [value for value in islice(_values(file, column), EXAMINED_PATHS) if value is not None]
    suffixes = {suffix_of(value) for value in values}
    return bool(suffixes) and suffixes <= IMAGE_SUFFIXES


def _ids(file: pq.ParquetFile, image_columns: Sequence[str]) -> Iterator[str | None]:
    schema = file.schema_arrow
    for name in ID_COLUMNS:
        index = schema.get_field_index(name)
        if index >= 0:
            kind = schema.field(index).type
            if not _is_id(kind):
                raise ValueError(f"its column {name} is of {kind}, not of strings or integers")
            for value in _values(file, name):
                yield None if value in (None, "") else str(value)
            return
    for name in image_columns:
        kind = schema.field(name).type
        is_struct = pa.types.is_struct(kind)
        index = kind.get_field_index("path") if is_struct else -1
        if kind in _STRINGS or (index >= 0 and kind.field(index).type in _STRINGS):
            for cell in _values(file, f"{name}.path" if is_struct else name):
                path = (cell or {}).get("path") if is_struct else cell
                path = path or ""
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


@cached(
    LRUCache(LARGEST_ROW_GROUP, getsizeof=lambda images: images.get_total_buffer_size()),
    lock=Lock(),
)
def _row_group(uri: str, version: str, column: str, group: int) -> pa.ChunkedArray:
    """The images of a row group, encoded or as paths."""
    with pq.ParquetFile(pa.PythonFile(RangeFile(uri))) as file:
        metadata = file.metadata.row_group(group)
        chunks = [metadata.column(i) for i in range(metadata.num_columns)]
        _check_row_group_size(
            sum(
                chunk.total_uncompressed_size
                for chunk in chunks
                if f"{chunk.path_in_schema}.".startswith(f"{column}.")
            )
        )
        images = file.read_row_group(group, columns=[column]).column(0)
    # Repeated values are stored once, and take room for each repetition once they are read.
    _check_row_group_size(images.get_total_buffer_size())
    return images


def _check_row_group_size(size: int) -> None:
    if size > LARGEST_ROW_GROUP:
        raise OSError(
            errno.EFBIG, f"a row group holds {size >> 20} MiB of images: write smaller row groups"
        )
