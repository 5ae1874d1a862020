"""Images in WebDataset shards: tar files whose members ``<key>.<extension>`` belong together."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from spadepis.dataset.inputs.errors import ShardError
from spadepis.dataset.storage.reading import RangeFile
from spadepis.filesystem_errors import reason

# The headers in a piece of this size of a remote shard cost one request.
PIECE = 1 << 17
# Long names and attributes of a member stand in headers; nothing honest is larger.
LARGEST_HEADER = 1 << 20
GZIP = b"\x1f\x8b"
END_MARK = bytes(tarfile.BLOCKSIZE)


@dataclass(frozen=True)
class Member:
    """A file in a tar shard.

    Attributes:
        name: its name in the shard, without a leading ``./``.
        offset: byte that its content begins with.
        size: size of the content, in bytes.
        usable: whether it is a plain file whose name is UTF-8; not a link, a device, or sparse.
    """

    name: str
    offset: int
    size: int
    usable: bool

    @property
    def key(self) -> str:
        """The name up to the first dot behind the last slash."""
        return self.name.removesuffix(f".{self.extension}") if self.extension else self.name

    @property
    def extension(self) -> str:
        """What follows that dot, e.g. ``mask.png``; empty where there is none."""
        return self.name.rpartition("/")[2].partition(".")[2]


class _HeaderFile(io.BufferedReader):
    """What ``tarfile`` reads headers from; it asks for as much as a header says."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return super().read(size)


def list_members(uri: str) -> Iterator[Member]:
    """The files in a tar shard, in their order. Only headers are read, and no link is followed.

    Raises:
        ShardError: it cannot be read, is damaged, or ends early.
    """
    try:
        yield from _list_members(_HeaderFile(RangeFile(uri), PIECE))
    except (OSError, tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise ShardError(f"{uri} cannot be read as a tar file ({reason(error)})") from error


def _list_members(file: _HeaderFile) -> Iterator[Member]:
    if file.peek(len(GZIP))[: len(GZIP)] == GZIP:
        raise tarfile.ReadError("compressed: unpack it, or compress the images in it alone")
    start: int | None = 0
    # Archives that were joined to one file follow each other.
    while start is not None:
        file.seek(start)
        end = yield from _list_archive(file)
        start = _next_archive(file, end)


def _list_archive(file: _HeaderFile) -> Generator[Member, None, int]:
    """The files in the archive that begins here; returns the byte that its end mark begins at."""
    position = -1
    with tarfile.TarFile(fileobj=file) as tar:
        while (member := tar.next()) is not None:
            # They would pile up, one for each file.
            tar.members.clear()  # type: ignore[attr-defined]
            if member.size < 0 or tar.offset <= position:
                raise tarfile.ReadError(f"damaged header at byte {member.offset}")
            position = tar.offset
            if not member.isdir():
                yield Member(
                    member.name.removeprefix("./"),
                    member.offset_data,
                    member.size,
                    member.isfile() and not member.issparse() and _is_unicode(member.name),
                )
        # A damaged header in the middle ends the iteration too.
        file.seek(tar.offset)
        if file.read(tarfile.BLOCKSIZE) != END_MARK:
            raise tarfile.ReadError(f"damaged or cut off at byte {tar.offset}")
        return tar.offset


def _next_archive(file: _HeaderFile, end: int) -> int | None:
    """Where another archive begins after the zeros that follow an end mark, if one does."""
    file.seek(end)
    while piece := file.read(PIECE):
        if any(piece):
            first = len(piece) - len(piece.lstrip(b"\0"))
            return file.tell() - len(piece) + first // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
    return None


def _is_unicode(name: str) -> bool:
    # Bytes that are not UTF-8 come as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in name)
