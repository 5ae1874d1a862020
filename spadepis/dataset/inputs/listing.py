"""Finding label maps and photos: a folder, a glob, a single file or shards, on any filesystem."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from spadepis.dataset import storage
from spadepis.dataset.inputs.shards import IMAGE_SUFFIXES, SHARD_SUFFIXES, index_shards
from spadepis.dataset.storage.errors import ShardError, reason

WILDCARDS = frozenset("*?[")


class SourceError(ValueError):
    """A folder or glob that gives no usable list of images."""


@dataclass(frozen=True)
class Listing:
    """What a folder or glob holds.

    Attributes:
        images: source by id: an absolute path, or URI, or a place in a shard. The id of a file is
            its path relative to the folder without suffix, and files stand in the order of their
            ids. In a glob the id is relative to the folders before the first wildcard and without
            all that stands behind the last one: ``gt/*/*_labels.png`` and
            ``gt/*/*_instances.png`` give the same ids. For shards see ``index_shards``.
        ignored: files left out: the suffix is not that of an image, or the name not UTF-8.
        base: absolute path or URI that ids are relative to; of shards, the input as it was given.
        ending: what follows an id.
    """

    images: Mapping[str, str]
    ignored: Sequence[str]
    base: str
    ending: str

    def uri_of(self, id: str) -> str:
        """The image of that id, or, if there is none, where it would be."""
        # An id may come from an untrusted shard, and names no file outside of the base.
        return self.images.get(id, f"{self.base}/{id.replace('..', '%2E%2E')}{self.ending}")


@dataclass(frozen=True)
class _Files:
    """Files found: names relative to ``base``, an absolute path or URI, in their order."""

    names: Sequence[str]
    base: str
    ending: str

    def absolute(self, name: str) -> str:
        return f"{self.base.removesuffix('/')}/{name}"


def list_images(uri: str, exclude: str | None = None) -> Listing:
    """List the images of a folder (recursively), of a glob, a single image, or of shards.

    Where there are no image files but Parquet or tar files, these are read as shards; no other
    file is opened. ``#name`` behind the path picks a column of Parquet files or an extension of
    tar members. Hidden files and folders are passed over.

    Args:
        uri: local path or fsspec URI of a folder or file, or a glob.
        exclude: absolute path or URI of a folder whose files are not inputs: the output folder.

    Raises:
        SourceError: nothing is there, no image is there, or two images have the same id; a shard
            is damaged; credentials stand in the URI.
    """
    try:
        uri, part = _split_part(uri)
        files = _find(uri, exclude)
        suffixes = {_suffix(name) for name in files.names}
        if part is None and suffixes & IMAGE_SUFFIXES:
            return _list_files(files)
        if suffixes & SHARD_SUFFIXES:
            return _list_shards(files, part, uri)
    except OSError as error:
        raise SourceError(f"{uri} cannot be listed ({reason(error)})") from error
    except (ShardError, storage.CredentialsError) as error:
        raise SourceError(str(error)) from error
    raise SourceError(f"{uri} holds no {'images' if part is None else 'shards'}")


def _split_part(uri: str) -> tuple[str, str | None]:
    """A URI without its ``#name``, and that name; a file or folder may have a # in its name."""
    path, mark, part = uri.rpartition("#")
    if not mark or not part or "/" in part:
        return uri, None
    if _suffix(path) in SHARD_SUFFIXES:
        return path, part
    is_folder = storage.kind(uri) is None and storage.kind(path) == "directory"
    return (path, part) if is_folder else (uri, None)


def _find(uri: str, exclude: str | None) -> _Files:
    fs, path = storage.filesystem(uri)
    local = isinstance(fs, LocalFileSystem)
    kind = storage.kind(uri)
    ending = ".png"
    if kind == "file":
        base, paths = path.rpartition("/")[0], [path]
    elif kind is not None:
        base, paths = path, storage.list_files(fs, path)
    elif WILDCARDS & set(path):
        base, paths = _glob(fs, path)
        ending = _fixed_ending(path)
    else:
        raise SourceError(f"{uri} does not exist")
    start = len(base.rstrip("/")) + 1
    names = (path[start:] for path in paths)
    absolute = base if local else str(fs.unstrip_protocol(base))
    left_out = None if exclude is None else _common(exclude, absolute, local)
    kept = [
        name
        for name in names
        if not (left_out is not None and name.startswith(left_out))
        and not (name.startswith(".") or "/." in name)
    ]
    return _Files(kept, absolute, ending)


def _glob(fs: Any, path: str) -> tuple[str, list[str]]:
    """The fixed part of a glob and the files that match it."""
    base = _fixed_part(path)
    depth = (
        None if "**" in path else len(PurePosixPath(path).parts) - len(PurePosixPath(base).parts)
    )
    matches = re.compile(glob_translate(path)).match
    return base, [found for found in storage.list_files(fs, base, depth) if matches(found)]


def _common(folder: str, base: str, local: bool) -> str | None:
    """How the names below a base begin of files that lie in a folder too; None if there are none.

    That is nothing, which all names begin with, where the base itself lies in the folder.
    """
    if local and folder.startswith("/"):
        folder, base = os.path.realpath(folder), os.path.realpath(base)
    folder, base = f"{folder.rstrip('/')}/", f"{base.rstrip('/')}/"
    if base.startswith(folder):
        return ""
    return folder.removeprefix(base) if folder.startswith(base) else None


def _list_files(files: _Files) -> Listing:
    images: dict[str, str] = {}
    ignored: list[str] = []
    for name in files.names:
        found = files.absolute(name)
        if _suffix(name) not in IMAGE_SUFFIXES or not _is_unicode(found):
            ignored.append(found)
            continue
        id = _id(name, files.ending)
        if id in images:
            raise SourceError(f"{images[id]} and {found} have the same id")
        images[id] = found
    return Listing(dict(sorted(images.items())), ignored, files.base, files.ending)


def _list_shards(files: _Files, part: str | None, uri: str) -> Listing:
    shards: dict[str, str] = {}
    ignored: list[str] = []
    for name in files.names:
        found = files.absolute(name)
        if _suffix(name) in SHARD_SUFFIXES and _is_unicode(found):
            shards[name] = found
        else:
            ignored.append(found)
    index = index_shards(shards, part)
    images: dict[str, str] = {}
    for id, source in index.images:
        if id in images:
            raise SourceError(f"{images[id]} and {source} have the same id {id!r}")
        images[id] = source
    if not images:
        raise SourceError(f"{uri} holds no images")
    base = uri if part is None else f"{uri}#{part}"
    return Listing(images, [*ignored, *index.ignored], base, ending="")


def _id(name: str, ending: str) -> str:
    return name.removesuffix(ending if name.endswith(ending) else PurePosixPath(name).suffix)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_unicode(path: str) -> bool:
    # Bytes of a local file name that are not UTF-8 come as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in path)


def _fixed_part(glob: str) -> str:
    """The folders before the first wildcard, which ids are relative to."""
    parts = glob.split("/")
    return "/".join(takewhile(lambda part: not WILDCARDS & set(part), parts))


def _fixed_ending(glob: str) -> str:
    """What stands behind the last wildcard, if that includes a suffix."""
    ending = re.split(r"[*?\]]", glob)[-1]
    return ending if PurePosixPath(f"id{ending}").suffix else ".png"
