"""Small JSON files of an image set, with a checksum that finds damage to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from spadepis.dataset.storage.folder import Folder

CHECKSUM = "checksum"


class DamagedFileError(ValueError):
    """A file of the records of an image set is damaged. The message says what helps."""

    def __init__(self, folder: Folder, name: str, why: str) -> None:
        super().__init__(
            f"{folder.uri}/{name} is damaged ({why}). Start the job of this image set again with "
            "the same command, which mends it"
        )
        self.name = name
        self.why = why


def write_record(folder: Folder, name: str, content: Mapping[str, Any]) -> None:
    """Write a JSON object with its checksum."""
    record = {**content, CHECKSUM: _digest(content)}
    folder.write(name, json.dumps(record, indent=2).encode())


def read_record(folder: Folder, name: str) -> dict[str, Any]:
    """What ``write_record`` wrote. Files of version 0.1 have no checksum.

    Raises:
        FileNotFoundError: the file does not exist.
        OSError: it cannot be read.
        DamagedFileError: it is not what was written.
    """
    stored = folder.read(name)
    try:
        content = json.loads(stored)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(folder, name, "it is not JSON") from error
    if not isinstance(content, dict):
        raise DamagedFileError(folder, name, "it is not a JSON object")
    if content.pop(CHECKSUM, None) not in (None, _digest(content)):
        raise DamagedFileError(folder, name, "its checksum does not match")
    return content


def _digest(content: Mapping[str, Any]) -> str:
    # As it will be read: JSON turns tuples into lists, and numbers that are keys into text.
    as_read = json.loads(json.dumps(content))
    return hashlib.sha256(json.dumps(as_read, sort_keys=True).encode()).hexdigest()
