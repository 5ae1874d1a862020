"""Writing a local file as a whole: replacing it, or making it only if it does not exist."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of filesystems without hard links, such as FAT and many network shares.
NO_HARD_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def replacing(path: Path, staging: Path | None = None, new: bool = False) -> Iterator[Path]:
    """Write a file so that readers see the old one or all of the new one, never a part of it.

    Folders that do not exist are made. If the body raises, the old file stays as it was.

    Args:
        path: the file to be replaced or made.
        staging: folder in which the new file is written, on the same filesystem as ``path``;
            by default the folder of ``path``. A process that is killed leaves the unfinished
            file there.
        new: whether an old file is an error, a ``FileExistsError``, rather than replaced. Of
            several processes that write the same new file at once, one succeeds.

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
        if new:
            _link(unfinished, path)
        else:
            os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        with target.open("xb") as file:
            file.write(source.read_bytes())
