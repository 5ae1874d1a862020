"""Finding label maps and photos: a folder, a glob, a single file or shards, on any filesystem."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from spadepis.dataset.ids import composed
from spadepis.dataset.inputs.braces import expand_braces
from spadepis.dataset.inputs.errors import ShardError
from spadepis.dataset.inputs.shards import index_shards
from spadepis.dataset.inputs.suffixes import (
    COMPRESSED_TARS,
    IMAGE_SUFFIXES,
    SHARD_SUFFIXES,
    suffix_of,
)
from spadepis.dataset.storage.credentials import CredentialsError
from spadepis.dataset.storage.filesystems import filesystem, kind, list_files
from spadepis.dataset.storage.retrying import attempt
from spadepis.filesystem_errors import reason

WILDCARDS = frozenset("*?[")
PATTERNS = WILDCARDS | {"{"}


class SourceError(ValueError):
    """A folder or glob that gives no usable list of images."""


@dataclass(frozen=True)
class Listing:
    """What a folder or glob holds.

    Attributes:
        images: source by id: an absolute path, or URI, or a place in a shard. The id of a file is
            its path relative to the folder without suffix, and files stand in the order of their
            ids. In a glob the id is relative to the folders before the first wildcard and without
            the text after the last one: ``gt/*/*_labels.png`` and
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
        """The source of the image of that id or, if there is none, the place where it would be."""
        # An id may come from an untrusted shard, and must not name a file outside of the base.
        found = self.find(id)
        return found or f"{self.base}/{id.replace('..', '%2E%2E')}{self.ending}"

    def find(self, id: str) -> str | None:
        """The image of that id, whichever way its accented letters are written, or None."""
        found = self.images.get(id)
        return self._by_composed_id.get(composed(id)) if found is None else found

    @cached_property
    def _by_composed_id(self) -> Mapping[str, str]:
        return {composed(id): source for id, source in self.images.items()}


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

    A glob may have braces: ``shard-{000..127}.tar``, ``{train,val}/*.png``. Names that exist are
    meant literally, whatever characters they have.

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
    if not uri.strip():
        # Else it would be the folder that the process runs in.
        raise SourceError("the path of an input is empty")
    try:
        uri, part = _split_part(uri)
        files = _find(uri, exclude)
        suffixes = {suffix_of(name) for name in files.names}
        if part is None and suffixes & IMAGE_SUFFIXES:
            return _list_files(files)
        if suffixes & SHARD_SUFFIXES:
            return _list_shards(files, part, uri)
    except OSError as error:
        raise SourceError(f"{uri} cannot be listed ({reason(error)})") from error
    except (ShardError, CredentialsError) as error:
        raise SourceError(str(error)) from error
    compressed = [name for name in files.names if name.lower().endswith(COMPRESSED_TARS)]
    if compressed:
        raise SourceError(_compressed(files.absolute(compressed[0])))
    outside = ""
    if exclude is not None and not files.names and _find(uri, None).names:
        outside = f" outside {exclude}, the output folder"
    raise SourceError(f"{uri} holds no {'images' if part is None else 'shards'}{outside}")


def _split_part(uri: str) -> tuple[str, str | None]:
    """A URI without its ``#name``, and that name; a file or folder may have a # in its name."""
    path, mark, part = uri.rpartition("#")
    if not mark or not part or "/" in part:
        return uri, None
    if suffix_of(path) in SHARD_SUFFIXES:
        return path, part
    is_folder = kind(uri) is None and kind(path) == "directory"
    return (path, part) if is_folder else (uri, None)


def _find(uri: str, exclude: str | None) -> _Files:
    fs, path = filesystem(uri)
    local = isinstance(fs, LocalFileSystem)
    entry = kind(uri)
    ending = ".png"
    if entry == "file":
        base, paths = path.rpartition("/")[0], [path]
    elif entry is not None:
        base, paths = path, list_files(fs, path)
    elif PATTERNS & set(path):
        base = _literal_part(fs, path)
        pattern = path[len(base) :].lstrip("/")
        paths = _match(fs, base, pattern)
        ending = _fixed_ending(pattern)
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


def _literal_part(fs: Any, path: str) -> str:
    """The folders before the first wildcard, which ids are relative to.

    Folders that exist are not wildcards, even if their names have brackets.
    """
    base, *parts = path.split("/")
    for part in parts[:-1]:
        candidate = f"{base}/{part}"
        if PATTERNS & set(part) and not _is_folder(fs, candidate):
            break
        base = candidate
    return base


def _is_folder(fs: Any, path: str) -> bool:
    try:
        return bool(attempt(fs.info, path)["type"] == "directory")
    except (FileNotFoundError, NotADirectoryError):
        return False


def _match(fs: Any, base: str, pattern: str) -> list[str]:
    """The files below a base that match a pattern, whose braces are expanded.

    Raises:
        SourceError: the pattern is none, or a file does not exist that stands for one of the
            expanded names.
    """
    try:
        expanded = expand_braces(pattern)
        exact = {name for name in expanded if not WILDCARDS & set(name)}
        globs = [re.compile(glob_translate(name)).match for name in expanded if name not in exact]
    except ValueError as error:
        raise SourceError(f"{base}/{pattern}: {error}") from error
    depth = None if "**" in pattern else len(PurePosixPath(pattern).parts)
    names = [found[len(base) :].lstrip("/") for found in list_files(fs, base, depth)]
    missing = sorted(exact - set(names))
    if missing:
        raise SourceError(f"{base}/{missing[0]} does not exist ({pattern} stands for it)")
    found = [name for name in names if name in exact or any(match(name) for match in globs)]
    return [f"{base.rstrip('/')}/{name}" for name in found]


def _common(folder: str, base: str, local: bool) -> str | None:
    """The prefix of those names below a base that lie in a folder; None if none of them does.

    It is empty, as all of them do, where the base itself lies in the folder.
    """
    if local and folder.startswith("/"):
        folder, base = os.path.realpath(folder), os.path.realpath(base)
    folder, base = f"{folder.rstrip('/')}/", f"{base.rstrip('/')}/"
    if base.startswith(folder):
        return ""
    return folder.removeprefix(base) if folder.startswith(base) else None


def _list_files(files: _Files) -> Listing:
    images: list[tuple[str, str]] = []
    ignored: list[str] = []
    # The names in web addresses are encoded.
    is_web = files.base.startswith(("http://", "https://"))
    for name in files.names:
        found = files.absolute(name)
        if suffix_of(name) in IMAGE_SUFFIXES and _is_unicode(found):
            images.append((_id(unquote(name) if is_web else name, files.ending), found))
        else:
            ignored.append(found)
    if not images:
        raise SourceError(f"{ignored[0]!r}: the name is not UTF-8, and there are no other images")
    return Listing(dict(sorted(_by_id(images).items())), ignored, files.base, files.ending)


def _list_shards(files: _Files, part: str | None, uri: str) -> Listing:
    shards: dict[str, str] = {}
    ignored: list[str] = []
    # What img2dataset writes beside its tar files: their metadata.
    tars = {name[: -len(".tar")] for name in files.names if suffix_of(name) == ".tar"}
    for name in files.names:
        found = files.absolute(name)
        is_metadata = suffix_of(name) == ".parquet" and name[: -len(".parquet")] in tars
        if name.lower().endswith(COMPRESSED_TARS):
            raise SourceError(_compressed(found))
        if suffix_of(name) in SHARD_SUFFIXES and _is_unicode(found) and not is_metadata:
            shards[name] = found
        else:
            ignored.append(found)
    index = index_shards(shards, part)
    if not index.images:
        raise SourceError(f"{uri} holds no images")
    base = uri if part is None else f"{uri}#{part}"
    return Listing(_by_id(index.images), [*ignored, *index.ignored], base, ending="")


def _compressed(shard: str) -> str:
    return f"{shard} is a compressed tar file, which cannot be read in part: decompress it to .tar"


def _by_id(images: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Sources by ids, which have to differ by more than how accented letters are written."""
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    for id, source in images:
        if id in found:
            raise SourceError(f"{found[id]} and {source} have the same id {id!r}")
        found[id] = source
        other = first.setdefault(composed(id), source)
        if other != source:
            raise SourceError(
                f"{other} and {source} have the same id but for the Unicode form of its letters"
            )
    return found


def _id(name: str, ending: str) -> str:
    return name.removesuffix(ending if name.endswith(ending) else PurePosixPath(name).suffix)


def _is_unicode(path: str) -> bool:
    # Bytes of a local file name that are not UTF-8 come as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in path)


def _fixed_ending(glob: str) -> str:
    """The text after the last wildcard if it has a suffix, else ``.png``."""
    ending = re.split(r"[*?\]}]", glob)[-1]
    return ending if PurePosixPath(f"id{ending}").suffix else ".png"
