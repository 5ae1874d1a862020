"""Suffixes by which images and shards are recognised, in lower case."""

from pathlib import PurePosixPath
from typing import Final

IMAGE_SUFFIXES: Final = frozenset(
    (
        *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif"),
        *(".tiff", ".webp"),
    )
)
SHARD_SUFFIXES: Final = frozenset((".parquet", ".tar"))
COMPRESSED_TARS: Final = (
    *(".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tar.lz4"),
)
_OTHER_SPELLINGS = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tiff": "tif"}


def suffix_of(name: str) -> str:
    """The suffix of a file, in lower case."""
    return PurePosixPath(name).suffix.lower()


def same_extension(extension: str) -> str:
    """One spelling of all extensions that mean the same: ``seg.PNG`` and ``seg.png``."""
    stem, dot, suffix = extension.lower().rpartition(".")
    return f"{stem}{dot}{_OTHER_SPELLINGS.get(suffix, suffix)}"
