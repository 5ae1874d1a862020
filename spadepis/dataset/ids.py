"""Ids of scenes and styles: when two are the same, and which of them globs match."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase


def composed(id: str) -> str:
    """An id with its accented letters composed (Unicode's form NFC), by which ids are compared.

    File systems and archives made on macOS decompose letters (NFD), others compose them.
    """
    return unicodedata.normalize("NFC", id)


def matches(id: str, globs: Iterable[str]) -> bool:
    """Whether an id matches one of several globs, in which a ``*`` also stands for slashes."""
    return any(fnmatchcase(composed(id), composed(glob)) for glob in globs)
