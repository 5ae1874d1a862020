"""Compiling loops over arrays with Numba."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def compiled(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Compile a function at its first call, and keep the result on disk for other processes.

    The compiler may reorder sums and fuse multiplications with them, which it needs in order to
    vectorize loops; infinities and NaN keep their meaning.
    """
    return _compile(function, {"reassoc", "contract", "nsz"})


def compiled_as_written(
    function: Callable[_Parameters, _Result],
) -> Callable[_Parameters, _Result]:
    """The same, for functions whose operations must stay as they are written."""
    return _compile(function, set())


def _compile(
    function: Callable[_Parameters, _Result], freedoms: set[str]
) -> Callable[_Parameters, _Result]:
    result: Callable[_Parameters, _Result] = numba.njit(
        nogil=True, cache=True, error_model="numpy", fastmath=freedoms
    )(function)
    return result
