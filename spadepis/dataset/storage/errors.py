"""Errors of filesystems: which of them are transient."""

from __future__ import annotations

import errno
from collections.abc import Mapping

# Request Timeout, Conflict of two requests, Too Early, Too Many Requests, and errors of the server.
TRANSIENT_STATUS = frozenset((408, 409, 425, 429, 500, 502, 503, 504))
TRANSIENT_ERRNO = frozenset(
    (
        errno.EAGAIN,
        errno.EBUSY,
        errno.EHOSTUNREACH,
        errno.EIO,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EREMOTEIO,
        errno.ESTALE,
    )
)
# The disk or the quota is full.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
PERMANENT = (
    FileExistsError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
# By name, because their packages are optional.
TRANSIENT_TYPES = frozenset(
    (
        "aiohttp.client_exceptions.ClientConnectionError",
        "aiohttp.client_exceptions.ClientPayloadError",
        "azure.core.exceptions.IncompleteReadError",
        "azure.core.exceptions.ServiceRequestError",
        "azure.core.exceptions.ServiceResponseError",
        "botocore.exceptions.ConnectionError",
        "botocore.exceptions.HTTPClientError",
        "botocore.exceptions.IncompleteReadError",
        "botocore.parsers.ResponseParserError",
        "gcsfs.retry.ChecksumError",
        "google.auth.exceptions.TransportError",
        "requests.exceptions.ChunkedEncodingError",
        "requests.exceptions.ConnectionError",
        "requests.exceptions.Timeout",
    )
)


def is_transient(error: BaseException) -> bool:
    """Whether the same operation may succeed a little later.

    Timeouts are transient, and so are connections that fail or break off. The answer of a server
    is judged by its HTTP status, which fsspec's filesystems put into the error or its cause.
    """
    if isinstance(error, PERMANENT):
        return False
    types = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if types & TRANSIENT_TYPES or isinstance(error, TimeoutError | ConnectionError):
        return True
    status = _http_status(error) or _http_status(error.__cause__)
    if status is not None:
        return status in TRANSIENT_STATUS
    return isinstance(error, OSError) and error.errno in TRANSIENT_ERRNO


def _http_status(error: BaseException | None) -> int | None:
    """The status in an error of aiohttp, Azure, gcsfs or botocore."""
    for name in ("status", "status_code", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int | str) and str(status).isdigit():
            return int(status)
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return None
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None
