"""Reading every object of an image set back and comparing it with the commit log."""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from spadepis.dataset.encoding import DECODING_ERRORS, decode
from spadepis.dataset.image_set.commits import done
from spadepis.dataset.image_set.layout import CONTENTS, INSTANCES, KINDS, MASKS, object_name
from spadepis.dataset.image_set.stored_images import images_of_object
from spadepis.dataset.storage.folder import Folder
from spadepis.filesystem_errors import reason

THREADS = 16
OBJECTS_AT_A_TIME = 4 * THREADS
# Of one channel; the others have three.
MAPS = (MASKS, INSTANCES)


@dataclass(frozen=True)
class Problem:
    """What is wrong with an object or an image.

    Attributes:
        name: of the object, or of the image in a shard.
        text: what is wrong.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Expected:
    """What the commit log says about an image.

    Attributes:
        name: of the image.
        sha256: of its bytes, None if the log has none. Of a content there are several if it was
            synthesized again, for other styles, and was not the same: on a GPU it may not be.
        height: in pixels.
        width: in pixels.
        channels: 3 of a photo, 1 of a label map or instance map.
    """

    name: str
    sha256: frozenset[str | None]
    height: int
    width: int
    channels: int


def verify(folder: Folder, log: pa.Table) -> Iterator[list[Problem]]:
    """Read back all objects that a commit log names, several at a time.

    Yields:
        The problems of each object.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        # Of a large set only a few objects at a time: each that waits takes memory.
        waiting: deque[Future[list[Problem]]] = deque()
        for name, images in _by_object(log).items():
            if len(waiting) == OBJECTS_AT_A_TIME:
                yield waiting.popleft().result()
            waiting.append(pool.submit(_check_object, folder, name, images))
        while waiting:
            yield waiting.popleft().result()


def _by_object(log: pa.Table) -> dict[str, list[Expected]]:
    """The images that each object must hold, each once however often it is named."""
    hashes: dict[tuple[str, str | None, int, int, int], set[str | None]] = defaultdict(set)
    finished = done(log)
    for kind in KINDS:
        channels = 1 if kind.folder in MAPS else 3
        columns = (kind.name_column, kind.hash_column, "photo_source", "height", "width")
        for name, sha256, photo, height, width in zip(
            *(finished[column].to_pylist() for column in columns), strict=True
        ):
            if name is not None:
                # Anything else has to be what each row says.
                of_image = None if kind.folder == CONTENTS and photo is None else sha256
                hashes[name, of_image, height, width, channels].add(sha256)
    objects: dict[str, list[Expected]] = defaultdict(list)
    for (name, _, *shape), found in hashes.items():
        objects[object_name(name)].append(Expected(name, frozenset(found), *shape))
    return objects


def _check_object(folder: Folder, name: str, images: Sequence[Expected]) -> list[Problem]:
    try:
        content = folder.read(name)
    except FileNotFoundError:
        return [Problem(name, "missing")]
    except ValueError:
        return [Problem(name, "leads out of the image set, and was not read")]
    except OSError as error:
        return [Problem(name, f"cannot be read ({reason(error)})")]
    try:
        found = list(images_of_object(content, [image.name for image in images]))
    except (ValueError, LookupError, TypeError) as error:
        return [Problem(name, f"damaged ({reason(error)})")]
    checks = (_check_image(stored, image) for stored, image in zip(found, images, strict=True))
    return [problem for problems in checks for problem in problems]


def _check_image(content: bytes, expected: Expected) -> Iterator[Problem]:
    if not expected.sha256 & {None, hashlib.sha256(content).hexdigest()}:
        yield Problem(expected.name, "is not what was written (another SHA-256)")
    try:
        image = decode(content)
    except DECODING_ERRORS as error:
        yield Problem(expected.name, f"cannot be decoded ({reason(error)})")
        return
    shape = (expected.height, expected.width, *([3] if expected.channels == 3 else []))
    if image.shape != shape:
        yield Problem(expected.name, f"has the shape {image.shape}, not {shape}")
