"""A folder on any filesystem that fsspec knows, with whole-object writes."""

from __future__ import annotations

import os
import uuid
from pathlib import Path, PurePosixPath

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

# Unfinished files of a local folder live here, so that no reader meets them.
STAGING = "_staging"


class Folder:
    """Reads and writes whole files by their name relative to a folder.

    Args:
        uri: local path or any fsspec URI. The folder need not exist; writing makes it.
    """

    def __init__(self, uri: str) -> None:
        self._fs, self._root = url_to_fs(uri)
        self._local = isinstance(self._fs, LocalFileSystem)

    @property
    def uri(self) -> str:
        """The folder's absolute path if it is local, else its URI."""
        return str(self._root if self._local else self._fs.unstrip_protocol(self._root))

    def read(self, name: str) -> bytes:
        """Content of a file. Raises FileNotFoundError where there is none."""
        content: bytes = self._fs.cat_file(self._path(name))
        return content

    def write(self, name: str, content: bytes) -> None:
        """Publish a file whole: readers see all of it or none, and a retry replaces it."""
        if not self._local:
            self._fs.pipe_file(self._path(name), content)
            return
        target = Path(self._path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(self._path(STAGING)) / uuid.uuid4().hex
        staged.parent.mkdir(exist_ok=True)
        staged.write_bytes(content)
        os.replace(staged, target)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        if self.exists(name):
            self._fs.rm(self._path(name))

    def names(self, subfolder: str = "") -> list[str]:
        """Names of all files under ``subfolder``, sorted; empty where there is no such folder."""
        found = self._fs.find(self._path(subfolder))
        return sorted(str(PurePosixPath(path).relative_to(self._root)) for path in found)

    def exists(self, name: str = "") -> bool:
        """Whether there is such a file, or, without a name, the folder itself."""
        return bool(self._fs.exists(self._path(name)))

    def clear_staging(self) -> None:
        """Remove what writers that were killed left unfinished."""
        if self._local and self.exists(STAGING):
            self._fs.rm(self._path(STAGING), recursive=True)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root
