"""Reading every object of an image set back and comparing it with the commit log."""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from spadepis.dataset.encoding import DECODING_ERRORS, decode
from spadepis.dataset.image_set.commit_log import done
from spadepis.dataset.image_set.stored_objects import object_name
from spadepis.dataset.storage.errors import reason
from spadepis.dataset.storage.folder import Folder

THREADS = 16
COLUMNS = (
    ("file_name", "image_sha256", "image"),
    ("mask_file_name", "mask_sha256", "mask"),
    ("content_file_name", "content_sha256", "content"),
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with an object.

    Attributes:
        name: of the file, or of the row in a shard.
        text: what is wrong.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Expected:
    """What the commit log says about an image.

    Attributes:
        name: of the file, or of the row in a shard.
        sha256: of its bytes; None where the log has none.
        height: in pixels.
        width: in pixels.
        channels: 3 of a photo, 1 of a label map.
    """

    name: str
    sha256: str | None
    height: int
    width: int
    channels: int


def verify(folder: Folder, log: pa.Table) -> Iterator[list[Problem]]:
    """Read back what a commit log names, several objects at a time.

    Yields:
        For each of the objects that ``named_objects`` counts, its problems.
    """
    objects = _by_object(log)
    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(partial(_check_object, folder), objects, objects.values())


def _by_object(log: pa.Table) -> dict[str, list[Expected]]:
    """The images that each object must hold; a file is one image, however often it is named."""
    objects: dict[str, dict[Expected, None]] = defaultdict(dict)
    finished = done(log)
    for name_column, hash_column, kind in COLUMNS:
        columns = (name_column, hash_column, "height", "width")
        for name, sha256, height, width in zip(
            *(finished[column].to_pylist() for column in columns), strict=True
        ):
            if name is not None:
                expected = Expected(name, sha256, height, width, 1 if kind == "mask" else 3)
                objects[object_name(name)][expected] = None
    return {name: list(expected) for name, expected in objects.items()}


def _check_object(folder: Folder, name: str, images: Sequence[Expected]) -> list[Problem]:
    try:
        content = folder.read(name)
    except FileNotFoundError:
        return [Problem(name, "missing")]
    except OSError as error:
        return [Problem(name, f"cannot be read ({reason(error)})")]
    if "#" not in images[0].name:
        return [problem for image in images for problem in _check_image(content, image)]
    try:
        table = pq.read_table(io.BytesIO(content))
        cells = [(image, _cell(table, image.name)) for image in images]
    except (pa.ArrowException, OSError, LookupError, TypeError) as error:
        return [Problem(name, f"damaged ({reason(error)})")]
    return [problem for image, cell in cells for problem in _check_image(cell, image)]


def _cell(shard: pa.Table, name: str) -> bytes:
    column, row = (part.partition("=")[2] for part in name.partition("#")[2].split("&"))
    return bytes(shard[column][int(row)].as_py()["bytes"])


def _check_image(content: bytes, expected: Expected) -> Iterator[Problem]:
    if expected.sha256 not in (None, hashlib.sha256(content).hexdigest()):
        yield Problem(expected.name, "is not what was written (another SHA-256)")
    try:
        image = decode(content)
    except DECODING_ERRORS as error:
        yield Problem(expected.name, f"cannot be decoded ({reason(error)})")
        return
    shape = (expected.height, expected.width, *([3] if expected.channels == 3 else []))
    if image.shape != shape:
        yield Problem(expected.name, f"has the shape {image.shape}, not {shape}")
