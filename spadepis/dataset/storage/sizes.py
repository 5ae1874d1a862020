"""Listing large folders with the sizes of their files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from spadepis.dataset.storage.filesystems import list_files
from spadepis.dataset.storage.retrying import attempt

THREADS = 32


def list_sizes(fs: Any, path: str, in_parts: bool) -> dict[str, int]:
    """Sizes in bytes of all files below a folder, by path; none if the folder does not exist.

    Args:
        fs: what ``filesystem`` gave.
        path: path of the folder on that filesystem.
        in_parts: whether the folders in it are listed several at a time. An object store gives a
            thousand objects in a request, and the next request needs the answer to the last.

    Raises:
        OSError: a part of the folder cannot be listed.
    """
    # A request to a local disk takes no time, and links have to be followed there.
    if not in_parts or isinstance(fs, LocalFileSystem):
        return _below(fs, path)
    try:
        entries = attempt(fs.ls, path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    sizes = {entry["name"]: int(entry["size"]) for entry in entries if _is_file(entry)}
    folders = [entry["name"] for entry in entries if entry["type"] == "directory"]
    with ThreadPoolExecutor(THREADS) as pool:
        for part in pool.map(partial(_below, fs), folders):
            sizes |= part
    return sizes


def _below(fs: Any, path: str) -> dict[str, int]:
    if isinstance(fs, LocalFileSystem):
        found = ((name, _local_size(name)) for name in list_files(fs, path))
        return {name: size for name, size in found if size is not None}
    try:
        entries = attempt(fs.find, path, detail=True)
    except FileNotFoundError:
        return {}
    return {name: int(entry["size"]) for name, entry in entries.items() if _is_file(entry)}


def _is_file(entry: Any) -> bool:
    # Some object stores show a folder as an empty object of that name.
    return bool(entry["type"] == "file") and not entry["name"].endswith("/")


def _local_size(path: str) -> int | None:
    """Size of a file; None if it was removed since it was listed."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None
