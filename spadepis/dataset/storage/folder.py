"""A folder on any filesystem that fsspec knows, in which files are written as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem

from spadepis.dataset.storage.filesystems import filesystem, list_files
from spadepis.dataset.storage.replacement import replacing
from spadepis.dataset.storage.retrying import ATTEMPTS, attempt
from spadepis.dataset.storage.sizes import list_sizes

# Files of a local folder are written here first, so that readers never see unfinished ones.
STAGING = "_staging"


class Folder:
    """Reads and writes whole files by their name relative to a folder.

    Transient errors are retried. A folder can be sent to other processes, forked ones too.

    Args:
        uri: local path or any fsspec URI. The folder need not exist; writing makes it.

    Raises:
        CredentialsError: the URI holds credentials.
    """

    def __init__(self, uri: str) -> None:
        fs, self._root = filesystem(uri)
        self._local = isinstance(fs, LocalFileSystem)
        # A relative path would mean something else in a process that started elsewhere.
        self._given = self._root if self._local else uri

    @property
    def uri(self) -> str:
        """The folder's absolute path if it is local, else its URI."""
        return str(self._root if self._local else self._fs.unstrip_protocol(self._root))

    def uri_of(self, name: str) -> str:
        """The absolute path or URI of a file.

        Raises:
            ValueError: the name leads out of the folder.
        """
        self._path(name)
        return f"{self.uri}/{name}"

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: it does not exist.
        """
        content: bytes = attempt(self._fs.cat_file, self._path(name))
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file as a whole: readers see all of it or none. An old file is replaced."""
        # Object stores put an object as a whole already.
        write = self._write_staged if self._local else self._fs.pipe_file
        attempt(write, self._path(name), content)

    def create(self, name: str, content: bytes) -> None:
        """Write a file as a whole, unless it exists.

        Raises:
            FileExistsError: it exists.
        """
        if self._local:
            attempt(self._write_staged, self._path(name), content, new=True)
        else:
            attempt(self._fs.pipe_file, self._path(name), content, mode="create")

    def creates_once(self, name: str, content: bytes) -> bool:
        """Whether one succeeds of several processes that ``create`` the same file at once.

        It is tried out with a file that exists and has this content, for not every service does
        what it is asked.
        """
        if self._local:
            return True
        if not self._fs.async_impl and type(self._fs).pipe_file is AbstractFileSystem.pipe_file:
            # It looks whether the file exists and then writes it.
            return False
        try:
            self.create(name, content)
        except FileExistsError:
            return True
        return False

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        with suppress(FileNotFoundError):
            attempt(self._fs.rm_file, self._path(name))

    def names(self, subfolder: str = "") -> list[str]:
        """Sorted names of all files below ``subfolder``; none if it does not exist."""
        found = list_files(self._fs, self._path(subfolder))
        return [str(PurePosixPath(path).relative_to(self._root)) for path in found]

    def sizes(self, subfolder: str = "", in_parts: bool = False) -> dict[str, int]:
        """Size in bytes of each file below ``subfolder``; none if it does not exist.

        Args:
            subfolder: in which files are looked for.
            in_parts: whether the folders in it are listed several at a time, which pays where
                they hold thousands of files.
        """
        found = list_sizes(self._fs, self._path(subfolder), in_parts)
        start = len(self._root.rstrip("/")) + 1
        return {path[start:]: size for path, size in found.items()}

    def exists(self, name: str = "") -> bool:
        """Whether a file exists or, without a name, the folder itself."""
        try:
            attempt(self._fs.info, self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def modified(self, name: str) -> datetime:
        """When a file was last written, by the clock of the filesystem.

        Raises:
            FileNotFoundError: it does not exist.
        """
        time: datetime = attempt(self._fs.modified, self._path(name))
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    def clear_staging(self) -> None:
        """Remove the unfinished files of writers that were killed, as far as that is possible.

        A writer that still runs writes its file again.
        """
        if self._local:
            staging = Path(self._path(STAGING))
            with suppress(OSError):
                for unfinished in staging.iterdir():
                    with suppress(OSError):
                        unfinished.unlink()
            self.remove_empty([STAGING])

    def missing(self) -> Sequence[Path]:
        """The local folder and those above it, as far as they do not exist, innermost first."""
        if not self._local:
            return []
        return [path for path in (Path(self._root), *Path(self._root).parents) if not path.exists()]

    def remove_empty(self, folders: Iterable[Path | str]) -> None:
        """Remove those of some local folders that are empty; subfolders of this one by name."""
        for folder in folders if self._local else ():
            with suppress(OSError):
                (Path(self._root) / folder).rmdir()

    def _write_staged(self, path: str, content: bytes, new: bool = False) -> None:
        for again in reversed(range(ATTEMPTS)):
            try:
                with replacing(Path(path), Path(self._path(STAGING)), new) as unfinished:
                    unfinished.write_bytes(content)
                return
            except FileNotFoundError:
                # Another process has cleared the staging folder.
                if not again:
                    raise

    @property
    def _fs(self) -> Any:
        # Looked up each time, because a filesystem with open connections does not survive a fork.
        return filesystem(self._given)[0]

    def _path(self, name: str) -> str:
        # With "::" fsspec chains filesystems.
        is_chain = "::" in name and not self._local
        if ".." in PurePosixPath(name).parts or name.startswith("/") or is_chain:
            raise ValueError(f"{name!r} is outside of the folder")
        return f"{self._root}/{name}" if name else self._root
