"""Files of object stores kept on this node, fetched once however many processes ask for them.

The caches of fsspec do not serve: they write a file where it will be read, so that another
process finds a part of it, and they take no lock.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem

from spadepis.dataset.storage.filesystems import filesystem
from spadepis.dataset.storage.replacement import replacing
from spadepis.dataset.storage.retrying import attempt

# Files share locks, so that the folder of locks stays small.
LOCKS = 64
# A process looks through a folder whenever it has fetched this part of what the folder may hold.
SWEPT_PART = 100

_fetched_since_sweep: Counter[Path] = Counter()


def local_copy(uri: str) -> str:
    """Path of a complete copy of a file on this node; of a local file, its own path.

    A file that has changed in the store is fetched again. Copies stay until the system clears the
    folder of temporary files.

    Raises:
        OSError: the file cannot be read, or cannot be kept here.
    """
    fs, path = filesystem(uri)
    if isinstance(fs, LocalFileSystem):
        return path
    entry = _entry("files", uri, attempt(fs.ukey, path))
    copy = entry / PurePosixPath(path).name
    if not copy.exists():
        with _lock(entry):
            if not copy.exists():
                size = attempt(fs.info, path)["size"]
                with replacing(copy) as unfinished:
                    attempt(_download, fs, path, size, unfinished)
    return str(copy)


def kept_content(
    kind: str, source: str, version: str, fetch: Callable[[], bytes], most_bytes: int
) -> bytes:
    """What ``fetch`` returns, which is called by one process of this node.

    Where the node has no room for it, or lets nothing be kept, every process fetches it.

    Args:
        kind: name of the folder that holds the content.
        source: names the content.
        version: changes when the content does.
        fetch: gets the content.
        most_bytes: about what the folder may hold; the content that was not used for longest is
            removed.

    Raises:
        OSError: ``fetch`` raised it.
    """
    try:
        copy = _entry(kind, source, version)
        content = _read_kept(copy)
        if content is not None:
            return content
        lock = _lock(copy).acquire()
    except OSError:
        return fetch()
    with lock:
        content = _read_kept(copy)
        if content is None:
            content = fetch()
            with suppress(OSError):
                _keep(copy, content, most_bytes)
    return content


def _keep(copy: Path, content: bytes, most_bytes: int) -> None:
    with replacing(copy) as unfinished:
        unfinished.write_bytes(content)
    _fetched_since_sweep[copy.parent] += len(content)
    if SWEPT_PART * _fetched_since_sweep[copy.parent] >= most_bytes:
        _fetched_since_sweep[copy.parent] = 0
        _remove_oldest(copy.parent, most_bytes, keep=copy)


def _entry(kind: str, source: str, version: str) -> Path:
    """Where a copy is kept, in a folder that belongs to this user.

    Raises:
        PermissionError: the folder is another user's, who could put anything there.
    """
    root = Path(tempfile.gettempdir()) / f"spadepis-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.lstat().st_uid != os.getuid():
        raise PermissionError(errno.EACCES, f"{root} is another user's")
    name = hashlib.sha256(f"{source}\0{version}".encode()).hexdigest()[:32]
    return root / kind / name


def _lock(entry: Path) -> FileLock:
    """Held by the process of this node that fetches the file."""
    folder = entry.parents[1] / "locks"
    folder.mkdir(exist_ok=True)
    return FileLock(folder / f"{int(entry.name, 16) % LOCKS:02d}")


def _download(fs: Any, path: str, size: int | None, target: Path) -> None:
    fs.get_file(path, str(target))
    if size is not None and target.stat().st_size != size:
        raise OSError(errno.EIO, f"{target.stat().st_size} of {size} bytes arrived")


def _read_kept(copy: Path) -> bytes | None:
    try:
        content = copy.read_bytes()
        # The time of the last use, by which the oldest are found.
        os.utime(copy)
    except FileNotFoundError:
        return None
    return content


def _remove_oldest(folder: Path, most_bytes: int, keep: Path) -> None:
    """Bring a folder below ``most_bytes``, while other processes may be doing the same."""
    found: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append((status.st_mtime, status.st_size, path))
    excess = sum(size for _, size, _ in found) - most_bytes
    for _, size, path in sorted(found):
        if excess > 0 and path != keep:
            path.unlink(missing_ok=True)
            excess -= size
