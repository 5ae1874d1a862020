"""Finding label maps and photos: a folder, a glob or a single file, on any filesystem."""

from __future__ import annotations

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
class Source:
    """An image to read.

    Attributes:
        id: path relative to the folder, without suffix.
        uri: absolute path if local, else URI.
    """

    id: str
    uri: str


@dataclass(frozen=True)
class Listing:
    """What a folder or glob holds.

    Attributes:
        images: the images, sorted by id.
        ignored: URIs of files left out: the suffix is not that of an image, or the name not UTF-8.
    """

    images: tuple[Source, ...]
    ignored: tuple[str, ...]


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
    if fs.isfile(path):
        base, paths = str(PurePosixPath(path).parent), [path]
    elif fs.exists(path):
        base, paths = path, fs.find(path)
    elif WILDCARDS & set(path):
        base, paths = _fixed_part(path), [p for p in fs.glob(path) if fs.isfile(p)]
    else:
        raise SourceError(f"{uri} does not exist")

    images: dict[str, Source] = {}
    ignored: list[str] = []
    for found in sorted(paths):
        relative = PurePosixPath(found).relative_to(base)
        absolute = found if isinstance(fs, LocalFileSystem) else fs.unstrip_protocol(found)
        if exclude is not None and absolute.startswith(f"{exclude}/"):
            continue
        if any(part.startswith(".") for part in relative.parts):
            continue
        if relative.suffix.lower() not in IMAGE_SUFFIXES or not _is_unicode(absolute):
            ignored.append(absolute)
            continue
        source = Source(str(relative.with_suffix("")), absolute)
        if source.id in images:
            raise SourceError(f"{images[source.id].uri} and {absolute} have the same id")
        images[source.id] = source
    if not images:
        raise SourceError(f"{uri} holds no images")
    return Listing(tuple(images[id] for id in sorted(images)), tuple(ignored))


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
