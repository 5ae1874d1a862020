"""File names of an image set: harmless on every filesystem, and the same at every retry."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

LONGEST = 120


def safe_name(identifier: str) -> str:
    """A single path component for any identifier.

    ASCII letters, digits and ``_.-~`` stand as they are, all else is percent-encoded, so that no
    identifier can leave its folder. Names over 120 characters are cut and get a hash of the
    identifier. Different identifiers have different names.
    """
    # No identifier is encoded as a lone percent sign.
    name = quote(identifier, safe="") or "%"
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > LONGEST:
        return f"{name[:LONGEST]}~{_hash(identifier)[:16]}"
    return name


def image_name(mask_id: str, style_id: str | None, suffix: str) -> str:
    """Name of a result: ``images/ab/<mask_id>/<style_id>.jpg``; ``<mask_id>.jpg`` without style."""
    stem = safe_name(mask_id) if style_id is None else f"{safe_name(mask_id)}/{safe_name(style_id)}"
    return f"images/{_shard(mask_id)}/{stem}.{suffix}"


def label_map_name(mask_id: str) -> str:
    """Name of the label map that belongs to a mask's images."""
    return f"masks/{_shard(mask_id)}/{safe_name(mask_id)}.png"


def content_name(mask_id: str, suffix: str) -> str:
    """Name of the photo that a mask's images were stylized from."""
    return f"contents/{_shard(mask_id)}/{safe_name(mask_id)}.{suffix}"


def may_be_written(name: str) -> bool:
    """Whether a name is one of those above, for some identifiers.

    Whatever else lies in these folders is very unlikely to have the hash of its name before it.
    """
    folder, shard, mask, *style = name.split("/", 3) if name.count("/") >= 2 else ("", "", "")
    if folder not in ("images", "masks", "contents") or (style and folder != "images"):
        return False
    stem = mask if style else PurePosixPath(mask).stem
    # Of a name that was cut the identifier is not known.
    return len(stem) > LONGEST or _shard(unquote(stem)) == shard


def _shard(mask_id: str) -> str:
    return _hash(mask_id)[:2]


def _hash(identifier: str) -> str:
    return hashlib.sha256(identifier.encode()).hexdigest()
