"""The styles of a label map: drawn at random, or given by a table of pairs."""

from __future__ import annotations

import hashlib
import heapq
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from spadepis.dataset.storage.reading import read
from spadepis.filesystem_errors import reason

TABLE_COLUMNS = ("mask_id", "style_id")


class PairingError(ValueError):
    """A table of pairs that cannot be used."""


def random_styles(mask_id: str, style_ids: Sequence[str], count: int, seed: int) -> list[str]:
    """Draw ``count`` different styles for a mask, without replacement.

    Every (seed, mask, style) has its own hash, and the styles with the lowest win: the draw depends
    on no order, no machine and no other mask.

    Raises:
        ValueError: there are fewer styles than ``count``.
    """
    if count > len(style_ids):
        raise ValueError(
            f"{count} styles per mask are asked for, but there are only {len(style_ids)}"
        )

    of_mask = hashlib.sha256(f"{seed}\0{mask_id}\0".encode())

    def rank(style_id: str) -> bytes:
        hashed = of_mask.copy()
        hashed.update(style_id.encode())
        return hashed.digest()

    return heapq.nsmallest(count, style_ids, key=rank)


def read_pairs(uri: str) -> Mapping[str, Sequence[str]]:
    """Style ids by mask id, both in the order of a table, each pair once.

    Args:
        uri: path or URI of a CSV file with a header, or of a Parquet file, with the columns
            ``mask_id`` and ``style_id``.

    Raises:
        PairingError: it cannot be read, or has other columns, or cells without an id.
    """
    try:
        content = read(uri)
        if PurePosixPath(uri).suffix.lower() == ".parquet":
            table = pq.read_table(io.BytesIO(content))
        else:
            # As spreadsheets write it, a table may have another encoding.
            content.decode()
            types = dict.fromkeys(TABLE_COLUMNS, pa.string())
            # Only an empty cell has no id: "NA" and "null" are ids like others.
            options = pyarrow.csv.ConvertOptions(
                column_types=types, strings_can_be_null=True, null_values=[""]
            )
            table = pyarrow.csv.read_csv(io.BytesIO(content), convert_options=options)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise PairingError(f"{uri} cannot be read as a table ({reason(error)})") from error
    absent = [name for name in TABLE_COLUMNS if name not in table.column_names]
    if absent:
        raise PairingError(f"{uri} has no column {' and no column '.join(absent)}")
    if not len(table):
        raise PairingError(f"{uri} has no rows")
    pairs: dict[str, dict[str, None]] = defaultdict(dict)
    columns = (_ids(uri, table, name) for name in TABLE_COLUMNS)
    for row, (mask_id, style_id) in enumerate(zip(*columns, strict=True), start=1):
        if mask_id is None or style_id is None:
            raise PairingError(f"{uri}: row {row} has no id")
        pairs[mask_id][style_id] = None
    return {mask_id: list(style_ids) for mask_id, style_ids in pairs.items()}


def _ids(uri: str, table: pa.Table, name: str) -> Sequence[str | None]:
    """The ids in a column of a table of pairs.

    Raises:
        PairingError: there are several such columns, or it holds something other than ids.
    """
    if table.column_names.count(name) > 1:
        raise PairingError(f"{uri} has several columns {name}")
    column = table.column(name)
    try:
        ids: list[str | None] = column.cast(pa.string()).to_pylist()
    # Texts that are not UTF-8 are found when they become strings of Python.
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise PairingError(f"{uri}: column {name} is of {column.type}, not of texts") from error
    return ids
