"""Retrying operations on filesystems that fail with a transient error."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from spadepis.dataset.storage.errors import is_transient
from spadepis.filesystem_errors import filesystem_errors

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

ATTEMPTS = 6
# No attempt starts later than this.
PATIENCE_SECONDS = 60.0
# Each pause is drawn between zero and a bound that doubles.
FIRST_WAIT_SECONDS = 0.4
LONGEST_WAIT_SECONDS = 8.0


def attempt(
    operation: Callable[Parameters, Result],
    *arguments: Parameters.args,
    **options: Parameters.kwargs,
) -> Result:
    """Call an operation of a filesystem, again after growing pauses if its error is transient.

    Raises:
        OSError: what the operation raised last. Another error of ``filesystem_errors`` becomes an
            ``OSError``.
    """
    retrying = Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(PATIENCE_SECONDS),
        wait=wait_random_exponential(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS),
        reraise=True,
    )
    try:
        return retrying(operation, *arguments, **options)
    except OSError:
        raise
    except filesystem_errors() as error:
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}") from error
