"""The errors that the filesystems of fsspec raise, and what they say."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping, Sequence

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


def reason(error: BaseException) -> str:
    """What an error says in a line, without its number and file name."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, FileNotFoundError):
        return os.strerror(errno.ENOENT)
    # Azure's go on with the answer of the server.
    return next(iter(str(error).splitlines()), type(error).__name__)
