"""The processes that Ray starts on this machine."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psutil
import ray


def started() -> set[psutil.Process]:
    """All that this process has started, and all that those have."""
    return set(psutil.Process().children(recursive=True))


def kill_all(processes: Collection[psutil.Process]) -> None:
    """Kill processes, of which some may have ended."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


@contextmanager
def whole_start() -> Iterator[None]:
    """Kill what Ray has started in the block if it is left before Ray is up.

    Ray itself would forget its agents, which end only after more than a minute.
    """
    before = started()
    try:
        yield
    finally:
        if not ray.is_initialized():
            kill_all(started() - before)
