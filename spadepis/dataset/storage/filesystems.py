"""Whole objects and listings on any filesystem that fsspec knows; the one place that retries."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, ParamSpec, TypeVar

import fsspec.config
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from spadepis.dataset.storage.errors import is_transient, reason

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

ATTEMPTS = 6
# No further attempt is begun after this.
PATIENCE_SECONDS = 60.0
# Waits are drawn between nothing and a bound that doubles.
FIRST_WAIT_SECONDS = 0.4
LONGEST_WAIT_SECONDS = 8.0

_PASSWORD = re.compile(r"://[^/@:]*:(?!\d+(/|$))[^@]*@")
_WEB_USER = re.compile(r"https?://[^/@]*@")
_SIGNATURE = re.compile(
    r"[?&](X-(Amz|Goog)-(Signature|Credential|Security-Token)|sig|signature|AWSAccessKeyId"
    r"|[a-z_]*token|password|secret|api_?key)=",
    re.IGNORECASE,
)


class CredentialsError(ValueError):
    """A URI that holds credentials."""


def refuse_credentials(uri: str) -> None:
    """Check that a URI can be logged and written into results.

    Raises:
        CredentialsError: it holds a password, a user of a web server or a signature.
    """
    if any(pattern.search(uri) for pattern in (_PASSWORD, _WEB_USER, _SIGNATURE)):
        raise CredentialsError(
            "a URI with credentials in it: they would stand in logs and results. Give them in the "
            "environment or the configuration files of the storage service"
        )


def s3_environment(endpoint: str | None, anonymous: bool) -> dict[str, str]:
    """Environment variables that make fsspec use this S3 service.

    Args:
        endpoint: URL of the service; None for that of the environment, by default Amazon's.
        anonymous: whether requests go unsigned.
    """
    variables = {} if endpoint is None else {"FSSPEC_S3_ENDPOINT_URL": endpoint}
    return variables | ({"FSSPEC_S3_ANON": "true"} if anonymous else {})


@contextmanager
def storage_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let fsspec in this process heed environment variables, as one started with them does."""
    settings = fsspec.config.conf
    before = {protocol: dict(options) for protocol, options in settings.items()}
    fsspec.config.set_conf_env(settings, variables)
    try:
        yield
    finally:
        settings.clear()
        settings.update(before)


def filesystem(uri: str) -> tuple[Any, str]:
    """The filesystem of a URI and the path on it, absolute if it is local.

    Filesystems are kept by fsspec, one for the same settings in the same process.

    Raises:
        CredentialsError: the URI holds credentials.
    """
    if uri.startswith("/"):
        # A local name may hold "::", by which fsspec chains filesystems.
        return LocalFileSystem(), uri.rstrip("/") or "/"
    refuse_credentials(uri)
    # Others write meanwhile: a listing is asked for anew each time.
    fs, path = url_to_fs(uri, use_listings_cache=False)
    if "s3" in fs.protocol:
        # Else its attempts would multiply with those made here, and every read ask the size first.
        fs.retries = fs.max_concurrency = 1
    return fs, path


def attempt(
    operation: Callable[Parameters, Result],
    *arguments: Parameters.args,
    **options: Parameters.kwargs,
) -> Result:
    """Do an operation of a filesystem, again with growing pauses if the trouble may pass.

    Raises:
        OSError: of whatever kind the filesystem raises; also for errors of other types.
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
    except Exception as error:
        # fsspec leaves open what its filesystems raise.
        raise OSError(errno.EIO, f"{type(error).__name__}: {error}") from error


def read(uri: str, most_bytes: int | None = None) -> bytes:
    """Content of a file or object.

    Args:
        uri: local path or fsspec URI.
        most_bytes: local files with more are refused.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read; or it is a pipe or a device, which may have no end.
    """
    fs, path = filesystem(uri)
    if isinstance(fs, LocalFileSystem):
        attempt(_check_file, path, most_bytes)
    content: bytes = attempt(fs.cat_file, path)
    return content


def read_range(uri: str, offset: int, size: int) -> bytes:
    """``size`` bytes of a file or object from byte ``offset`` on.

    Raises:
        OSError: it cannot be read, or has fewer bytes.
    """
    fs, path = filesystem(uri)
    content: bytes = attempt(fs.cat_file, path, start=offset, end=offset + size) if size else b""
    if len(content) != size:
        raise OSError(errno.EIO, f"ends before byte {offset + size}")
    return content


def kind(uri: str) -> str | None:
    """What is there: "file", "directory" or None.

    Raises:
        OSError: that cannot be told.
    """
    fs, path = filesystem(uri)
    try:
        return str(attempt(fs.info, path)["type"])
    except (FileNotFoundError, NotADirectoryError):
        return None


def list_files(fs: Any, path: str, depth: int | None = None) -> list[str]:
    """Paths of all files below a folder, sorted; none where there is no folder.

    Args:
        fs: what ``filesystem`` gave.
        path: of the folder, on that filesystem.
        depth: how many levels of a local folder are searched.

    Raises:
        OSError: a part of it cannot be listed.
    """
    if isinstance(fs, LocalFileSystem):
        return sorted(_walk(path, depth))
    try:
        # Some object stores show a folder as an empty object of that name.
        return sorted(found for found in attempt(fs.find, path) if not found.endswith("/"))
    except FileNotFoundError:
        return []


class RangeFile(io.RawIOBase):
    """A file or object open for reading, every read a request of its own.

    Args:
        uri: of the file.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, uri: str) -> None:
        super().__init__()
        fs, path = filesystem(uri)
        if isinstance(fs, LocalFileSystem):
            attempt(_check_file, path)
        self._uri = uri
        self._size = int(attempt(fs.info, path)["size"])
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The byte that the next read begins with."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte, counted from the start, from here or from the end."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a seek to before the start")
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Up to ``size`` bytes, fewer only at the end; never more is allocated than is there."""
        rest = max(0, self._size - self._position)
        size = rest if size is None or size < 0 else min(size, rest)
        content = read_range(self._uri, self._position, size)
        self._position += size
        return content

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, or as much of it as there is left to read."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _check_file(path: str, most_bytes: int | None = None) -> None:
    status = os.stat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError(errno.EINVAL, "not a regular file")
    if most_bytes is not None and status.st_size > most_bytes:
        raise OSError(errno.EFBIG, f"{status.st_size} bytes are more than {most_bytes}")


def _walk(folder: str, depth: int | None) -> Iterator[str]:
    def fail(error: OSError) -> None:
        # A folder that is not there, or not any more, holds no files.
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise OSError(error.errno, f"{error.filename}: {reason(error)}")

    levels = len(PurePosixPath(folder).parts)
    for path, folders, names in os.walk(folder, followlinks=True, onerror=fail):
        yield from (os.path.join(path, name) for name in names)
        for link in (os.path.join(path, name) for name in folders):
            if os.path.islink(link) and _lies_in(path, link):
                raise OSError(errno.ELOOP, f"{link}: a link to a folder that it lies in")
        if depth is not None and len(PurePosixPath(path).parts) - levels + 1 >= depth:
            folders.clear()


def _lies_in(path: str, folder: str) -> bool:
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath((path, folder)) == folder
