"""Compiling short loops over arrays when they are first called."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def compiled(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Compile a function by Numba, and keep what was compiled for other processes.

    Sums may be taken in another order and multiplications fused with them: enough for loops to be
    vectorised; infinities and NaN keep their meaning.
    """
    result: Callable[_Parameters, _Result] = numba.njit(
        nogil=True,
        cache=True,
        error_model="numpy",
        fastmath={"reassoc", "contract", "nsz"},
    )(function)
    return result
