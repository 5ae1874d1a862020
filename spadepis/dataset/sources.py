"""Finding label maps and photos: a folder, a glob or a single file, on any filesystem."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

IMAGE_SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
WILDCARDS = frozenset("*?[")


class SourceError(ValueError):
    """A folder or glob that gives no usable list of images."""


@dataclass(frozen=True)
class Listing:
    """What a folder or glob holds.

    Attributes:
        images: absolute path, or URI, by id, in the order of the ids. An id is the path relative
            to the folder without suffix. In a glob it is relative to the folders before the first
            wildcard and without all that stands behind the last one: ``gt/*/*_labels.png`` and
            ``gt/*/*_instances.png`` give the same ids.
        ignored: files left out: the suffix is not that of an image, or the name not UTF-8.
        base: absolute path or URI that ids are relative to.
        ending: what follows an id.
    """

    images: Mapping[str, str]
    ignored: Sequence[str]
    base: str
    ending: str

    def uri_of(self, id: str) -> str:
        """The image of that id, or, if there is none, where it would be."""
        return self.images.get(id, f"{self.base}/{id}{self.ending}")


def list_images(uri: str, exclude: str | None = None) -> Listing:
    """List the images of a folder (recursively), of a glob, or a single image.

    No file is opened. Hidden files and folders are passed over.

    Args:
        uri: local path or fsspec URI of a folder or file, or a glob.
        exclude: absolute path or URI of a folder whose files are not inputs: the output folder.

    Raises:
        SourceError: nothing is there, no image is there, or two images have the same id.
    """
    fs, path = url_to_fs(uri)
    ending = ".png"
    if fs.isfile(path):
        base, paths = str(PurePosixPath(path).parent), [path]
    elif fs.exists(path):
        base, paths = path, fs.find(path)
    elif WILDCARDS & set(path):
        base, paths = _fixed_part(path), [found for found in fs.glob(path) if fs.isfile(found)]
        ending = _fixed_ending(path)
    else:
        raise SourceError(f"{uri} does not exist")

    def absolute(path: str) -> str:
        return path if isinstance(fs, LocalFileSystem) else str(fs.unstrip_protocol(path))

    images: dict[str, str] = {}
    ignored: list[str] = []
    for found in map(absolute, sorted(paths)):
        relative = PurePosixPath(found).relative_to(absolute(base))
        if exclude is not None and found.startswith(f"{exclude}/"):
            continue
        if any(part.startswith(".") for part in relative.parts):
            continue
        if relative.suffix.lower() not in IMAGE_SUFFIXES or not _is_unicode(found):
            ignored.append(found)
            continue
        name = str(relative)
        id = name.removesuffix(ending) if name.endswith(ending) else str(relative.with_suffix(""))
        if id in images:
            raise SourceError(f"{images[id]} and {found} have the same id")
        images[id] = found
    if not images:
        raise SourceError(f"{uri} holds no images")
    return Listing(dict(sorted(images.items())), ignored, absolute(base), ending)


def _is_unicode(path: str) -> bool:
    # Bytes of a local file name that are not UTF-8 come as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in path)


def _fixed_part(glob: str) -> str:
    """The folders before the first wildcard, which ids are relative to."""
    fixed: list[str] = []
    for part in PurePosixPath(glob).parts:
        if WILDCARDS & set(part):
            break
        fixed.append(part)
    return str(PurePosixPath(*fixed))


def _fixed_ending(glob: str) -> str:
    """What stands behind the last wildcard, if that includes a suffix."""
    ending = re.split(r"[*?\]]", glob)[-1]
    return ending if PurePosixPath(f"id{ending}").suffix else ".png"
