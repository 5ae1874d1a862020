"""Reading files and objects, whole or in part."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from spadepis.dataset.storage.filesystems import filesystem
from spadepis.dataset.storage.retrying import attempt


def read(uri: str, most_bytes: int | None = None) -> bytes:
    """Content of a file or object.

    Args:
        uri: local path or fsspec URI.
        most_bytes: larger local files are refused.

    Raises:
        FileNotFoundError: it does not exist.
        OSError: it cannot be read, or it is a pipe or a device, which may never end.
    """
    fs, path = filesystem(uri)
    if isinstance(fs, LocalFileSystem):
        attempt(_check_file, path, most_bytes)
    content: bytes = attempt(fs.cat_file, path)
    return content


def read_range(uri: str, offset: int, size: int) -> bytes:
    """``size`` bytes of a file or object, starting at byte ``offset``.

    Raises:
        OSError: it cannot be read, or ends earlier.
    """
    fs, path = filesystem(uri)
    content: bytes = attempt(fs.cat_file, path, start=offset, end=offset + size) if size else b""
    if len(content) != size:
        raise OSError(errno.EIO, f"ends before byte {offset + size}")
    return content


class RangeFile(io.RawIOBase):
    """A file or object opened for reading, in which every read is a request of its own.

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
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte, counted from the start, the current position or the end."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("cannot seek to before the start")
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Up to ``size`` bytes; fewer only at the end of the file."""
        rest = max(0, self._size - self._position)
        # A damaged header may ask for any size: only what the file holds is allocated.
        size = rest if size is None or size < 0 else min(size, rest)
        content = read_range(self._uri, self._position, size)
        self._position += size
        return content

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the file reaches, and return the number of bytes."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _check_file(path: str, most_bytes: int | None = None) -> None:
    status = os.stat(path)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError(errno.EINVAL, "not a regular file")
    if most_bytes is not None and status.st_size > most_bytes:
        raise OSError(errno.EFBIG, f"{status.st_size} bytes are more than {most_bytes}")
