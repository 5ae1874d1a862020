"""Objects as rows of Arrow tables, in which Ray passes them on."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

SCHEMA = pa.schema([("pickled", pa.large_binary()), ("arrays", pa.list_(pa.large_binary()))])


def to_table(objects: Iterable[Any]) -> pa.Table:
    """A row for each object; the values of NumPy arrays are copied once."""
    pickled: list[bytes] = []
    arrays: list[list[memoryview]] = []
    for each in objects:
        own: list[pickle.PickleBuffer] = []
        pickled.append(pickle.dumps(each, protocol=5, buffer_callback=own.append))
        arrays.append([buffer.raw() for buffer in own])
    return pa.table({"pickled": pickled, "arrays": arrays}, schema=SCHEMA)


def to_blocks(objects: Sequence[Any], rows: int) -> list[pa.Table]:
    """Tables of so many objects each, in their order."""
    return [to_table(objects[start : start + rows]) for start in range(0, len(objects), rows)]


def from_table(table: pa.Table) -> list[Any]:
    """The objects of a table that ``to_table`` made; their arrays are views of it."""
    rows = zip(table["pickled"], table["arrays"], strict=True)
    return [
        pickle.loads(pickled.as_buffer(), buffers=[each.as_buffer() for each in arrays.values])
        for pickled, arrays in rows
    ]
