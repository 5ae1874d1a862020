"""Breaking one object of an image set: each kind of object, in each way."""

from collections.abc import Callable, Mapping

from spadepis.dataset.image_set.layout import (
    CARD,
    COMMAND,
    CONFIGURATION,
    FAILURES,
    MANIFEST,
    METADATA,
    PLAN,
    REPORT,
)
from spadepis.dataset.storage.folder import Folder

# By kind of object, how the name of one begins.
KINDS: Mapping[str, str] = {
    "image": "images/",
    "label map": "masks/",
    "content": "contents/",
    "shard": "data/",
    "commit file": "_commits/part-",
    "compacted commit file": "_commits/compacted-",
    "configuration": CONFIGURATION,
    "plan": PLAN,
    "command": COMMAND,
    "metadata": METADATA,
    "failures": FAILURES,
    "card": CARD,
    "report": REPORT,
    "manifest": MANIFEST,
}
# The form of the image set that has a kind of object, if it is not that of files.
FORMS: Mapping[str, str] = {"shard": "parquet"}


def remove(folder: Folder, name: str) -> None:
    folder.remove(name)


def cut(folder: Folder, name: str) -> None:
    content = folder.read(name)
    folder.write(name, content[: len(content) // 2])


def flip(folder: Folder, name: str) -> None:
    """Change one bit in the middle."""
    content = bytearray(folder.read(name))
    content[len(content) // 2] ^= 1
    folder.write(name, bytes(content))


WAYS: Mapping[str, Callable[[Folder, str], None]] = {
    "removed": remove,
    "cut": cut,
    "flipped": flip,
}


def an_object(folder: Folder, kind: str) -> str:
    """The first object of a kind."""
    return next(name for name in folder.names() if name.startswith(KINDS[kind]))
