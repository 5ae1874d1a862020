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
    result: Callable[_Parameters, _Result] = numba.njit(
        nogil=True,
        cache=True,
        error_model="numpy",
        fastmath={"reassoc", "contract", "nsz"},
    )(function)
    return result
