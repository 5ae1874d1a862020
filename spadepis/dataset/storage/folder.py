"""A folder on any filesystem that fsspec knows, with whole-object writes."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from spadepis.dataset import storage

# Unfinished files of a local folder live here, so that no reader meets them.
STAGING = "_staging"


class Folder:
    """Reads and writes whole files by their name relative to a folder.

    Errors that may pass, of a network or a server, are tried again. A folder can be sent to other
    processes, forked ones too.

    Args:
        uri: local path or any fsspec URI. The folder need not exist; writing makes it.

    Raises:
        CredentialsError: the URI holds credentials.
    """

    def __init__(self, uri: str) -> None:
        fs, self._root = storage.filesystem(uri)
        self._local = isinstance(fs, LocalFileSystem)
        # Relative paths mean something else in a process that started elsewhere.
        self._given = self._root if self._local else uri

    @property
    def uri(self) -> str:
        """The folder's absolute path if it is local, else its URI."""
        return str(self._root if self._local else self._fs.unstrip_protocol(self._root))

    def read(self, name: str) -> bytes:
        """Content of a file. Raises FileNotFoundError where there is none."""
        content: bytes = storage.attempt(self._fs.cat_file, self._path(name))
        return content

    def write(self, name: str, content: bytes) -> None:
        """Publish a file whole: readers see all of it or none, and a retry replaces it."""
        # One put of an object store is whole already.
        publish = self._publish if self._local else self._fs.pipe_file
        storage.attempt(publish, self._path(name), content)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        with suppress(FileNotFoundError):
            storage.attempt(self._fs.rm_file, self._path(name))

    def names(self, subfolder: str = "") -> list[str]:
        """Names of all files under ``subfolder``, sorted; empty where there is no such folder."""
        found = storage.list_files(self._fs, self._path(subfolder))
        return [str(PurePosixPath(path).relative_to(self._root)) for path in found]

    def exists(self, name: str = "") -> bool:
        """Whether there is such a file, or, without a name, the folder itself."""
        try:
            storage.attempt(self._fs.info, self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def clear_staging(self) -> None:
        """Remove what writers that were killed left unfinished."""
        if self._local and self.exists(STAGING):
            self._fs.rm(self._path(STAGING), recursive=True)

    def _publish(self, path: str, content: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        staged = Path(self._path(STAGING)) / uuid.uuid4().hex
        staged.parent.mkdir(exist_ok=True)
        staged.write_bytes(content)
        os.replace(staged, path)

    @property
    def _fs(self) -> Any:
        # Asked for each time: a filesystem with open connections survives no fork.
        return storage.filesystem(self._given)[0]

    def _path(self, name: str) -> str:
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise ValueError(f"{name!r} is outside of the folder")
        return f"{self._root}/{name}" if name else self._root
