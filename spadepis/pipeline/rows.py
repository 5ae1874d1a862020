"""Dataclasses as rows of Arrow tables: the columns follow from the types of the fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

Row = TypeVar("Row")

_SCALARS = {str: pa.string(), bool: pa.bool_(), int: pa.int32(), float: pa.float64()}
_ARRAY = pa.struct(
    [("dtype", pa.string()), ("shape", pa.list_(pa.int32())), ("data", pa.large_binary())]
)


@cache
def schema_of(kind: type) -> pa.Schema:
    """A column for each field of a dataclass, in order.

    Fields are strings, booleans, integers, floats, NumPy arrays of any shape, other dataclasses,
    and lists and dictionaries of these; any of them may be None.
    """
    return pa.schema(list(_arrow_type(kind)))


def to_table(rows: Sequence[Any], kind: type) -> pa.Table:
    """A row for each object of a dataclass."""
    return pa.Table.from_pylist([_to_cell(row) for row in rows], schema=schema_of(kind))


def from_table(table: pa.Table, kind: type[Row]) -> list[Row]:
    """The objects of a table of ``schema_of(kind)``; their arrays are read-only."""
    return [_from_cell(row, kind) for row in table.to_pylist()]


@cache
def _fields_of(kind: type) -> dict[str, Any]:
    """Types of the fields of a dataclass by name."""
    hints = get_type_hints(kind)
    return {field.name: _without_none(hints[field.name]) for field in fields(kind)}


def _without_none(hint: Any) -> Any:
    options = [option for option in get_args(hint) if option is not NoneType]
    return options[0] if NoneType in get_args(hint) else hint


def _arrow_type(hint: Any) -> pa.DataType:
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return pa.struct([(name, _arrow_type(kind)) for name, kind in _fields_of(hint).items()])
    origin = get_origin(hint)
    if origin is np.ndarray:
        return _ARRAY
    items = [_arrow_type(_without_none(argument)) for argument in get_args(hint)]
    if origin is list:
        return pa.list_(*items)
    if origin is dict:
        return pa.map_(*items)
    return _SCALARS[hint]


def _to_cell(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str, "shape": list(value.shape), "data": value.tobytes()}
    if isinstance(value, list):
        return [_to_cell(item) for item in value]
    if is_dataclass(value):
        return {field.name: _to_cell(getattr(value, field.name)) for field in fields(value)}
    return value


def _from_cell(cell: Any, hint: Any) -> Any:
    if cell is None:
        return None
    if is_dataclass(hint):
        assert isinstance(hint, type)
        kinds = _fields_of(hint)
        return hint(**{name: _from_cell(cell[name], kind) for name, kind in kinds.items()})
    origin = get_origin(hint)
    if origin is np.ndarray:
        return np.frombuffer(cell["data"], cell["dtype"]).reshape(cell["shape"])
    if origin is list:
        (item,) = get_args(hint)
        return [_from_cell(each, _without_none(item)) for each in cell]
    return dict(cell) if origin is dict else cell
