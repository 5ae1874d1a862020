"""The layout of an image set: the name of everything in its folder.

    metadata.parquet    one row for each image: its file, label map, ids, classes, quality metrics
    failures.parquet    one row for each failed pair: stage, file, error
    rejected.parquet    one row for each rejected pair, if there are any
    README.md           dataset card
    report.html         report for people
    _SUCCESS            manifest, written last: the set is finished
    _commits/           commit log, configuration and plan of the job, lease of the job that runs
    images/ masks/ contents/ instances/    results, label maps, photos before stylization and
                                           instance maps, as files
    data/                                  or the same images in the rows of Parquet shards

A name is the same whenever the same image is written, so that a retry replaces what it wrote. An
image in a shard has the name ``data/part-<hash>.parquet#column=image&row=3``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from spadepis.dataset.image_set.splits import TRAIN, VALIDATION

METADATA = "metadata.parquet"
FAILURES = "failures.parquet"
REJECTIONS = "rejected.parquet"
CARD = "README.md"
REPORT = "report.html"
MANIFEST = "_SUCCESS"
# What the end of a job writes.
INDEX = (METADATA, FAILURES, REJECTIONS, CARD, REPORT, MANIFEST)

COMMITS = "_commits"
CONFIGURATION = f"{COMMITS}/configuration.json"
PLAN = f"{COMMITS}/plan.json"
# What a waiting job writes to learn the time of the store.
CLOCK = f"{COMMITS}/clock-"
# The command of the last run that did something.
COMMAND = f"{COMMITS}/command.json"
# Sorts before "part-", which the other files of the commit log begin with.
COMPACTED = f"{COMMITS}/compacted-"


@dataclass(frozen=True)
class Kind:
    """A kind of image that belongs to a result.

    Attributes:
        name: its column in shards.
        folder: of the files.
        name_column: the column of the commit log that names the image.
        hash_column: the column with the SHA-256 of its bytes.
        size_column: the column with the size of the object that holds it.
    """

    name: str
    folder: str
    name_column: str
    hash_column: str
    size_column: str


KINDS = (
    Kind("image", "images", "file_name", "image_sha256", "image_bytes"),
    Kind("mask", "masks", "mask_file_name", "mask_sha256", "mask_bytes"),
    Kind("content", "contents", "content_file_name", "content_sha256", "content_bytes"),
    Kind("instance", "instances", "instance_file_name", "instance_sha256", "instance_bytes"),
)
IMAGES, MASKS, CONTENTS, INSTANCES = IMAGE_FOLDERS = tuple(kind.folder for kind in KINDS)
SHARDS = "data"
OBJECT_FOLDERS = (*IMAGE_FOLDERS, SHARDS)

LONGEST_NAME = 120
_UPPER_CASE = re.compile("[A-Z]")
_HASHED = re.compile(r"(?P<name>.*)~(?P<hash>[0-9a-f]{16})", re.DOTALL)
_SHARD = re.compile(rf"data/(part|{TRAIN}|{VALIDATION})-[0-9a-f]{{32}}\.parquet")
_LEASE = re.compile(rf"{COMMITS}/lease-(\d+)")
_ROW = re.compile(r"(?P<shard>[^#]+)#column=(?P<column>\w+)&row=(?P<row>\d+)")


def image_name(mask_id: str, style_id: str | None, suffix: str) -> str:
    """Name of a result: ``images/ab/<mask_id>/<style_id>.jpg``; ``<mask_id>.jpg`` without style."""
    stem = safe_name(mask_id) if style_id is None else f"{safe_name(mask_id)}/{safe_name(style_id)}"
    return f"{IMAGES}/{_subfolder(mask_id)}/{stem}.{suffix}"


def label_map_name(mask_id: str) -> str:
    """Name of the label map of a scene's images."""
    return f"{MASKS}/{_subfolder(mask_id)}/{safe_name(mask_id)}.png"


def content_name(mask_id: str, suffix: str) -> str:
    """Name of the photo that a scene's images were stylized from."""
    return f"{CONTENTS}/{_subfolder(mask_id)}/{safe_name(mask_id)}.{suffix}"


def instance_map_name(mask_id: str) -> str:
    """Name of the instance map of a scene's images."""
    return f"{INSTANCES}/{_subfolder(mask_id)}/{safe_name(mask_id)}.png"


def commit_file_name(content: bytes) -> str:
    """Name of a file of the commit log; the same content has the same name."""
    return f"{COMMITS}/part-{_digest(content)}.parquet"


def compacted_name(content: bytes) -> str:
    """Name of the file that replaces all other files of the commit log."""
    return f"{COMPACTED}{_digest(content)}.parquet"


def lease_name(number: int) -> str:
    """Name of a lease; the one with the highest number counts."""
    return f"{COMMITS}/lease-{number}"


def lease_number(name: str) -> int | None:
    """The number of a lease; None for another file."""
    found = _LEASE.fullmatch(name)
    return None if found is None else int(found[1])


def shard_name(content: bytes, split: str | None = None) -> str:
    """Name of a Parquet shard of images, those of a split if the set is split.

    The same content has the same name.
    """
    return f"{SHARDS}/{split or 'part'}-{_digest(content)}.parquet"


def shards_of_split(split: str) -> str:
    """Glob of the shards that hold the images of a split."""
    return f"{SHARDS}/{split}-*.parquet"


def name_in_shard(shard: str, column: str, row: int) -> str:
    """Name of an image in a shard."""
    return f"{shard}#column={column}&row={row}"


def object_name(file_name: str) -> str:
    """The object that holds an image: the file itself, or the shard it is a row of."""
    return file_name.partition("#")[0]


def column_and_row(file_name: str) -> tuple[str, int] | None:
    """Where in its shard an image is; None for an image that is a file.

    Raises:
        ValueError: the name is neither of a file nor of an image in a shard.
    """
    if "#" not in file_name:
        return None
    found = _ROW.fullmatch(file_name)
    if found is None:
        raise ValueError(f"{file_name!r} is not the name of an image in a shard")
    return found["column"], int(found["row"])


def is_shard(name: str) -> bool:
    """Whether an object is a shard that a job wrote."""
    return _SHARD.fullmatch(name) is not None


def is_image_file(name: str) -> bool:
    """Whether a file has a name that a job gives to an image, label map or content.

    The folder is the hash of the identifier, so that another file is very unlikely to have one.
    """
    folder, subfolder, mask, *style = name.split("/", 3) if name.count("/") >= 2 else ("", "", "")
    if folder not in IMAGE_FOLDERS or (style and folder != IMAGES):
        return False
    return _is_name_of(mask if style else PurePosixPath(mask).stem, subfolder)


def safe_name(identifier: str) -> str:
    """A single path component for any identifier.

    ASCII letters, digits and ``_.-~`` are kept and everything else is percent-encoded, so that no
    identifier leaves its folder. Names over 120 characters are cut. A hash of the identifier is
    added to these and to names with upper-case letters, so that different identifiers have
    different names on filesystems that ignore case, too.
    """
    # No identifier is encoded as a lone percent sign.
    name = quote(identifier, safe="") or "%"
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > LONGEST_NAME or _UPPER_CASE.search(identifier):
        return f"{name[:LONGEST_NAME]}~{_hash(identifier)}"
    return name


def _is_name_of(stem: str, subfolder: str) -> bool:
    """Whether ``safe_name`` may have made a name in this subfolder."""
    hashed = _HASHED.fullmatch(stem)
    if hashed and len(hashed["name"]) < LONGEST_NAME:
        identifier = unquote(hashed["name"])
        if hashed["hash"] == _hash(identifier) and _subfolder(identifier) == subfolder:
            return True
    # The identifier behind a name that was cut is not known.
    return len(stem) > LONGEST_NAME or _subfolder(unquote(stem)) == subfolder


def _hash(identifier: str) -> str:
    return _digest(identifier.encode())[:16]


def _subfolder(mask_id: str) -> str:
    return _digest(mask_id.encode())[:2]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
