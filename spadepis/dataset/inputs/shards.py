"""Shards: Parquet and tar files of many images, and the place of each image in them."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from fsspec.implementations.local import LocalFileSystem

from spadepis.dataset.inputs.errors import ShardError
from spadepis.dataset.inputs.parquet_shards import list_rows, read_cell
from spadepis.dataset.inputs.suffixes import IMAGE_SUFFIXES, same_extension, suffix_of
from spadepis.dataset.inputs.tar_shards import Member, list_members
from spadepis.dataset.storage.filesystems import filesystem
from spadepis.dataset.storage.node_cache import kept_content
from spadepis.dataset.storage.reading import read, read_range
from spadepis.dataset.storage.retrying import attempt

THREADS = 16
# The most bytes of images kept on a node; those that were not used for longest are removed.
MOST_KEPT_BYTES = 2 << 30
_MEMBER = re.compile(r"(.+\.tar)#offset=(\d+)&size=(\d+)", re.DOTALL | re.IGNORECASE)
_CELL = re.compile(r"(.+\.parquet)#column=([^&#]*)&row=(\d+)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class ShardIndex:
    """The images of shards.

    Attributes:
        images: id and source of every image, in the order of the shards and of what is in them.
        ignored: sources of members left out: those not named like an image, links, devices, and
            those whose names are not UTF-8.
        parts: extensions (of tar members) or columns (of Parquet files) that hold images.
    """

    images: Sequence[tuple[str, str]]
    ignored: Sequence[str]
    parts: frozenset[str]


def index_shards(shards: Mapping[str, str], part: str | None) -> ShardIndex:
    """List the images in shards, several shards at a time. Names and ids are read, but no image.

    The id of a tar member is its key, the name up to the first dot behind the last slash. That of
    a Parquet row is what ``list_rows`` says or, where that is nothing, ``<name>/<row number>``, the
    name of the shard without suffix.

    Args:
        shards: path or URI by name, the path relative to their folder.
        part: the extension or column to take; the extension ``jpg`` includes ``JPG`` and ``jpeg``.
            Without it a key may have only one image, a Parquet file only one column of images.

    Raises:
        ShardError: a shard cannot be read or is damaged, the part does not exist or has to be
            chosen, or two images have the same id.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        indexes = list(pool.map(lambda name: _index_shard(name, shards[name], part), shards))
    parts = frozenset().union(*(index.parts for index in indexes))
    images = [image for index in indexes for image in index.images]
    if part is not None and not images:
        raise ShardError(
            f"no image is {part}: {_choices(parts) if parts else 'there are no images'}"
        )
    return ShardIndex(images, [name for index in indexes for name in index.ignored], parts)


def read_source(source: str, most_bytes: int) -> bytes:
    """Content of an image file, or of an image in a shard.

    Args:
        source: path or URI of a file, or what ``index_shards`` gave.
        most_bytes: images in shards and local files with more are refused.

    Raises:
        OSError: it cannot be read.
    """
    if member := _MEMBER.fullmatch(source):
        shard, offset, size = member.groups()
        _check_size(int(size), most_bytes)
        return read_range(shard, int(offset), int(size))
    if cell := _CELL.fullmatch(source):
        shard, column, row = cell.groups()
        content = read_cell(shard, unquote(column), int(row))
        _check_size(len(content), most_bytes)
        return content
    return read(source, most_bytes)


def read_source_once(source: str, most_bytes: int) -> bytes:
    """``read_source``, from an object store once for all processes of this node."""
    inside = _MEMBER.fullmatch(source) or _CELL.fullmatch(source)
    fs, path = filesystem(inside[1] if inside else source)
    if isinstance(fs, LocalFileSystem):
        return read_source(source, most_bytes)
    version = attempt(fs.ukey, path)
    return kept_content(
        "images", source, version, lambda: read_source(source, most_bytes), MOST_KEPT_BYTES
    )


def _check_size(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise OSError(errno.EFBIG, f"{size} bytes are more than {most_bytes}")


def _index_shard(name: str, uri: str, part: str | None) -> ShardIndex:
    is_tar = PurePosixPath(uri).suffix.lower() == ".tar"
    return _index_tar(uri, part) if is_tar else _index_parquet(name, uri, part)


def _index_tar(uri: str, part: str | None) -> ShardIndex:
    images: list[tuple[str, str]] = []
    ignored: list[str] = []
    first: dict[str, Member] = {}
    # The first spelling of each extension.
    parts: dict[str, str] = {}
    for member in list_members(uri):
        path = PurePosixPath(member.name)
        if any(part.startswith(".") and part != ".." for part in path.parts):
            continue
        source = f"{uri}#offset={member.offset}&size={member.size}"
        if not member.usable or suffix_of(path.name) not in IMAGE_SUFFIXES:
            ignored.append(source)
            continue
        extension = same_extension(member.extension)
        parts.setdefault(extension, member.extension)
        if part is None:
            other = first.setdefault(member.key, member)
            if same_extension(other.extension) != extension:
                both = {other.extension, member.extension}
                raise ShardError(f"{uri} holds several images of {member.key!r}: {_choices(both)}")
        elif extension != same_extension(part):
            continue
        images.append((member.key, source))
    return ShardIndex(images, ignored, frozenset(parts.values()))


def _index_parquet(name: str, uri: str, part: str | None) -> ShardIndex:
    columns, ids = list_rows(uri)
    if not columns:
        raise ShardError(f"{uri} has no column of images")
    if part is None and len(columns) > 1:
        raise ShardError(f"{uri} has several columns of images: {_choices(columns)}")
    column = columns[0] if part is None else part
    if column not in columns:
        raise ShardError(f"{uri} has no column of images {part}: {_choices(columns)}")
    shard = str(PurePosixPath(name).with_suffix(""))
    place = f"{uri}#column={quote(column, safe='')}"
    images = [
        (f"{shard}/{row:06d}" if id is None else id, f"{place}&row={row}")
        for row, id in enumerate(ids)
    ]
    return ShardIndex(images, [], frozenset(columns))


def _choices(parts: Iterable[str]) -> str:
    return f"choose by {' or '.join(f'#{part}' for part in sorted(parts))}"
