"""Files of object stores kept on this node: fetched once, however many processes ask for them.

The caches of fsspec are not used: they write a file where it will stand, so that another process
finds a part of it, and they know no lock.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem

from spadepis.dataset.inputs.shards import file_of_source, read_source
from spadepis.dataset.storage.filesystems import attempt, filesystem

# Of images; the oldest go. Checkpoints are few, and stay until the system clears the folder.
MOST_IMAGE_BYTES = 2 << 30
# Files share locks, so that these do not pile up.
LOCKS = 64


def local_copy(uri: str) -> str:
    """Path of a whole copy of a file on this node; of a local file its own.

    A file that was changed in the store is fetched anew.

    Args:
        uri: local path or fsspec URI.

    Raises:
        OSError: it cannot be read, or cannot be kept here.
    """
    fs, path = filesystem(uri)
    if isinstance(fs, LocalFileSystem):
        return path
    place = _place("checkpoints", uri, attempt(fs.ukey, path))
    copy = place / PurePosixPath(path).name
    if not copy.exists():
        with _lock(place):
            if not copy.exists():
                size = attempt(fs.info, path)["size"]
                _publish(copy, lambda target: attempt(_download, fs, path, size, target))
    return str(copy)


def read_image_once(source: str, most_bytes: int) -> bytes:
    """``read_source``, from the store once for all processes of this node.

    Args:
        source: path or URI of an image file, or of an image in a shard.
        most_bytes: images in shards and local files with more are refused.

    Raises:
        OSError: it cannot be read, or cannot be kept here.
    """
    fs, path = filesystem(file_of_source(source))
    if isinstance(fs, LocalFileSystem):
        return read_source(source, most_bytes)
    copy = _place("images", source, attempt(fs.ukey, path))
    content = _read_kept(copy)
    if content is None:
        with _lock(copy):
            content = _read_kept(copy)
            if content is None:
                content = read_source(source, most_bytes)
                _publish(copy, lambda target: target.write_bytes(content))
                _remove_oldest(copy.parent, keep=copy)
    return content


def _place(kind: str, source: str, version: str) -> Path:
    """Where a copy goes, in a folder of this user alone.

    Raises:
        PermissionError: it is another's, who might put something else there.
    """
    root = Path(tempfile.gettempdir()) / f"spadepis-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.lstat().st_uid != os.getuid():
        raise PermissionError(errno.EACCES, f"{root} is another user's")
    name = hashlib.sha256(f"{source}\0{version}".encode()).hexdigest()[:32]
    return root / kind / name


def _lock(place: Path) -> FileLock:
    """Held by the one process of this node that fetches the file."""
    folder = place.parents[1] / "locks"
    folder.mkdir(exist_ok=True)
    return FileLock(folder / f"{int(place.name, 16) % LOCKS:02d}")


def _publish(copy: Path, write: Callable[[Path], object]) -> None:
    """Let a file appear whole, or not at all."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    part = copy.with_name(f"{copy.name}.{os.getpid()}.part")
    try:
        write(part)
        os.replace(part, copy)
    finally:
        part.unlink(missing_ok=True)


def _download(fs: Any, path: str, size: int | None, target: Path) -> None:
    fs.get_file(path, str(target))
    if size is not None and target.stat().st_size != size:
        raise OSError(errno.EIO, f"{target.stat().st_size} of {size} bytes came")


def _read_kept(copy: Path) -> bytes | None:
    try:
        content = copy.read_bytes()
        # By this the oldest are found.
        os.utime(copy)
    except FileNotFoundError:
        return None
    return content


def _remove_oldest(folder: Path, keep: Path) -> None:
    """Bring the images of a folder below ``MOST_IMAGE_BYTES``, perhaps while others do so too."""
    found: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append((status.st_mtime, status.st_size, path))
    excess = sum(size for _, size, _ in found) - MOST_IMAGE_BYTES
    for _, size, path in sorted(found):
        if excess > 0 and path != keep:
            path.unlink(missing_ok=True)
            excess -= size
