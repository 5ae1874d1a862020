"""Errors of filesystems: which of them are transient, and what they say."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping, Sequence

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


# The base classes of the other errors that filesystems let through, by the module they are in.
PACKAGE_ERRORS: Mapping[str, Sequence[str]] = {
    "aiohttp.client_exceptions": ("ClientError",),
    "azure.core.exceptions": ("AzureError",),
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "botocore.parsers": ("ResponseParserError",),
    "ftplib": ("Error",),
    "gcsfs.retry": ("ChecksumError", "HttpError"),
    "google.auth.exceptions": ("GoogleAuthError",),
    "paramiko.ssh_exception": ("SSHException",),
    "smbprotocol.exceptions": ("SMBException",),
}


def filesystem_errors() -> tuple[type[Exception], ...]:
    """The types of errors that the filesystems of fsspec raise.

    These are ``OSError``, ``ValueError`` (of a path that cannot be) and ``RuntimeError`` of fsspec
    itself, and what the packages raise that it uses; a package that was not imported raised none.
    """
    of_packages = [
        getattr(sys.modules[module], name)
        for module, names in PACKAGE_ERRORS.items()
        for name in names
        if module in sys.modules and hasattr(sys.modules[module], name)
    ]
    return (OSError, ValueError, RuntimeError, *of_packages)


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


def reason(error: BaseException) -> str:
    """What an error says in a line, without its number and file name."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, FileNotFoundError):
        return os.strerror(errno.ENOENT)
    # Azure's go on with the answer of the server.
    return next(iter(str(error).splitlines()), type(error).__name__)


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
