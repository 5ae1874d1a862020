"""The filesystem behind a path or URI, its settings, and what it holds."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec.config
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from spadepis.dataset.storage.credentials import refuse_credentials
from spadepis.dataset.storage.retrying import attempt
from spadepis.filesystem_errors import reason

# What has to be installed for the URIs of a scheme.
EXTRAS: Mapping[str, str] = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "http": "http",
    "https": "http",
}


class FilesystemError(ValueError):
    """There is no filesystem for a URI, or its package is not installed."""


def s3_environment(endpoint: str | None, anonymous: bool) -> dict[str, str]:
    """Environment variables that make fsspec use an S3 service.

    Args:
        endpoint: URL of the service; None for the one that the environment names, by default
            Amazon's.
        anonymous: whether requests are sent unsigned.
    """
    variables = {} if endpoint is None else {"FSSPEC_S3_ENDPOINT_URL": endpoint}
    return variables | ({"FSSPEC_S3_ANON": "true"} if anonymous else {})


@contextmanager
def storage_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Make fsspec heed environment variables in this process, as if it had started with them."""
    settings = fsspec.config.conf
    before = {protocol: dict(options) for protocol, options in settings.items()}
    fsspec.config.set_conf_env(settings, variables)
    try:
        yield
    finally:
        settings.clear()
        settings.update(before)


def filesystem(uri: str) -> tuple[Any, str]:
    """The filesystem of a URI, and the path on it, which is absolute if the filesystem is local.

    fsspec keeps one filesystem for the same settings in the same process.

    Raises:
        CredentialsError: the URI holds credentials.
        FilesystemError: its scheme is not known, or a package for it is not installed.
    """
    # A local name may hold "::", with which fsspec chains filesystems, or begin with "file:".
    if uri.startswith("/"):
        return LocalFileSystem(), uri.rstrip("/") or "/"
    if "://" not in uri:
        return LocalFileSystem(), os.path.abspath(os.path.expanduser(uri))
    refuse_credentials(uri)
    # Other processes write to the same folders, so that a cached listing would be out of date.
    try:
        fs, path = url_to_fs(uri, use_listings_cache=False)
    except ImportError as error:
        scheme = uri.rpartition("::")[2].partition("://")[0]
        extra = EXTRAS.get(scheme)
        remedy = str(error) if extra is None else f"pip install 'spadepis[{extra}]'"
        raise FilesystemError(f"{uri}: a package for {scheme}:// is missing: {remedy}") from error
    except ValueError as error:
        raise FilesystemError(f"{uri} cannot be used: {error}") from error
    if "s3" in fs.protocol:
        # Its own retries would multiply with ours, and every read would ask for the size first.
        fs.retries = fs.max_concurrency = 1
    return fs, path


def kind(uri: str) -> str | None:
    """What a URI names: "file", "directory", or None if it does not exist.

    Raises:
        OSError: the filesystem does not tell.
    """
    fs, path = filesystem(uri)
    try:
        info = attempt(fs.info, path)
        # Web servers show a folder as a page with links.
        is_page = str(info.get("mimetype")).startswith("text/html")
        return "directory" if is_page else str(info["type"])
    except (FileNotFoundError, NotADirectoryError):
        return None


def list_files(fs: Any, path: str, depth: int | None = None) -> list[str]:
    """Sorted paths of all files below a folder; none if the folder does not exist.

    Args:
        fs: what ``filesystem`` gave.
        path: path of the folder on that filesystem.
        depth: how many levels of a local folder are searched; None for all.

    Raises:
        OSError: a part of the folder cannot be listed.
    """
    if isinstance(fs, LocalFileSystem):
        return sorted(_walk(path, depth))
    try:
        # Some object stores show a folder as an empty object of that name.
        return sorted(found for found in attempt(fs.find, path) if not found.endswith("/"))
    except FileNotFoundError:
        return []


def _walk(folder: str, depth: int | None) -> Iterator[str]:
    def fail(error: OSError) -> None:
        # A folder that does not exist, or no longer does, holds no files.
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise OSError(error.errno, f"{error.filename}: {reason(error)}")

    levels = len(PurePosixPath(folder).parts)
    for path, folders, names in os.walk(folder, followlinks=True, onerror=fail):
        yield from (os.path.join(path, name) for name in names)
        for link in (os.path.join(path, name) for name in folders):
            if os.path.islink(link) and _leads_back(link, folder):
                raise OSError(errno.ELOOP, f"{link} links to a folder that contains it")
        if depth is not None and len(PurePosixPath(path).parts) - levels + 1 >= depth:
            folders.clear()


def _leads_back(link: str, folder: str) -> bool:
    """Whether a link leads to a folder that was walked through on the way to it, from a folder on.

    The way may have led through other links: two folders can hold links to each other.
    """
    target = os.path.realpath(link)
    way = [parent for parent in Path(link).parents if parent.is_relative_to(folder)]
    return any(Path(os.path.realpath(parent)).is_relative_to(target) for parent in way)
