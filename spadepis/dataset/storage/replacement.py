"""Replacing a local file as a whole."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, staging: Path | None = None) -> Iterator[Path]:
    """Write a file so that readers see the old one or all of the new one, never a part of it.

    Folders that do not exist are made. If the body raises, the old file stays as it was.

    Args:
        path: the file to be replaced or made.
        staging: folder in which the new file is written, on the same filesystem as ``path``;
            by default the folder of ``path``. A process that is killed leaves the unfinished
            file there.

    Yields:
        The path that the body writes to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if staging is None:
        unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    else:
        staging.mkdir(parents=True, exist_ok=True)
        unfinished = staging / uuid.uuid4().hex
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
