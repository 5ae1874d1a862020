"""Dataclasses as rows of Arrow tables: the columns follow from the types of the fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import accumulate, islice
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Row = TypeVar("Row")

# Since NumPy 2.5 NDArray is not another name for a kind of ndarray, but a type of its own.
_ARRAY_TYPES = (np.ndarray, NDArray)
_SCALARS = {str: pa.string(), bool: pa.bool_(), int: pa.int32(), float: pa.float64()}
_SHAPE = pa.list_(pa.int32())
_ARRAY = pa.struct([("dtype", pa.string()), ("shape", _SHAPE), ("data", pa.large_binary())])


@cache
def schema_of(kind: type) -> pa.Schema:
    """A column for each field of a dataclass, in order.

    Fields are strings, booleans, integers, floats, NumPy arrays of any shape, other dataclasses,
    lists and dictionaries of these. Any but a dictionary may be None.
    """
    return pa.schema(list(_arrow_type(kind)))


def to_table(rows: Sequence[Any], kind: type) -> pa.Table:
    """A row for each object of a dataclass; the values of arrays are copied once."""
    return pa.table(_columns(rows, kind), schema=schema_of(kind))


def from_table(table: pa.Table, kind: type[Row]) -> list[Row]:
    """The objects of a table of ``schema_of(kind)``.

    Their arrays are read-only views of the table.
    """
    return [row for batch in table.to_batches() for row in _objects(batch.columns, kind)]


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
    if origin in _ARRAY_TYPES:
        return _ARRAY
    items = [_arrow_type(_without_none(argument)) for argument in get_args(hint)]
    if origin is list:
        return pa.list_(*items)
    if origin is dict:
        return pa.map_(*items)
    return _SCALARS[hint]


def _columns(rows: Sequence[Any], kind: type) -> list[pa.Array]:
    return [
        _column([None if row is None else getattr(row, name) for row in rows], hint)
        for name, hint in _fields_of(kind).items()
    ]


def _column(values: Sequence[Any], hint: Any) -> pa.Array:
    """The values of one field as a column."""
    origin = get_origin(hint)
    if origin in _ARRAY_TYPES:
        return _column_of_arrays(values)
    if is_dataclass(hint):
        assert isinstance(hint, type)
        missing = pa.array([value is None for value in values], pa.bool_())
        fields = list(_arrow_type(hint))
        return pa.StructArray.from_arrays(_columns(values, hint), fields=fields, mask=missing)
    if origin is list:
        (item,) = get_args(hint)
        ends = accumulate((len(value or ()) for value in values), initial=0)
        # Where a list is missing, its offset is.
        missing = [*(value is None for value in values), False]
        offsets = [None if gone else end for end, gone in zip(ends, missing, strict=True)]
        items = _column([each for value in values for each in value or ()], _without_none(item))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items)
    return pa.array(values, _arrow_type(hint))


def _column_of_arrays(arrays: Sequence[NDArray[Any] | None]) -> pa.Array:
    present = [array.reshape(-1).view(np.uint8) for array in arrays if array is not None]
    sizes = [0 if array is None else array.nbytes for array in arrays]
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    data = np.concatenate([np.empty(0, np.uint8), *present])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    parts = [
        pa.array([None if array is None else array.dtype.str for array in arrays], pa.string()),
        pa.array([None if array is None else array.shape for array in arrays], _SHAPE),
        pa.Array.from_buffers(pa.large_binary(), len(arrays), buffers),
    ]
    missing = pa.array([array is None for array in arrays], pa.bool_())
    return pa.StructArray.from_arrays(parts, fields=list(_ARRAY), mask=missing)


def _objects(columns: Sequence[pa.Array], kind: Any) -> list[Any]:
    hints = _fields_of(kind).values()
    fields = [_values(column, hint) for column, hint in zip(columns, hints, strict=True)]
    return [kind(*row) for row in zip(*fields, strict=True)]


def _values(column: pa.Array, hint: Any) -> list[Any]:
    """The values of a column, as the field of a dataclass holds them."""
    origin = get_origin(hint)
    if origin in _ARRAY_TYPES:
        return _arrays(column)
    if is_dataclass(hint):
        assert isinstance(hint, type)
        objects = _objects(_parts(column), hint)
        return [
            None if is_missing else each
            for is_missing, each in zip(column.is_null().to_pylist(), objects, strict=True)
        ]
    if origin is list:
        (item,) = get_args(hint)
        items = iter(_values(column.flatten(), _without_none(item)))
        lengths = column.value_lengths().to_pylist()
        return [None if length is None else list(islice(items, length)) for length in lengths]
    values: list[Any] = column.to_pylist()
    return list(map(dict, values)) if origin is dict else values


def _arrays(column: pa.StructArray) -> list[NDArray[Any] | None]:
    dtypes, shapes, data = _parts(column)
    described = zip(dtypes.to_pylist(), shapes.to_pylist(), data, strict=True)
    return [None if dtype is None else _array(dtype, *rest) for dtype, *rest in described]


def _array(dtype: str, shape: Sequence[int], data: pa.LargeBinaryScalar) -> NDArray[Any]:
    array = np.frombuffer(data.as_buffer(), dtype).reshape(shape)
    # Other tables may hold the same buffer.
    array.flags.writeable = False
    # It may begin at an odd address, behind the array of the row before it.
    return np.require(array, requirements="A")


def _parts(column: pa.StructArray) -> list[pa.Array]:
    return [column.field(i) for i in range(column.type.num_fields)]
