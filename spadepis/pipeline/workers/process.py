"""How the process of a worker is set up."""

from __future__ import annotations

import ctypes
import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

# Of glibc's mallopt.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
TOP_PAD_BYTES = 1 << 26
NEVER = (1 << 31) - 1

STANDARD_ERROR = 2

_watch_lock = Lock()
_watched_blocks = 0


def prepare_process() -> None:
    """Set this process up as one of the workers that share a machine.

    It computes on one thread, since the parallelism comes from the number of workers. It keeps
    the memory it has freed. On a GPU, float32 is not rounded to TensorFloat-32, to which whitening
    is sensitive.
    """
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    keep_freed_memory()


@contextmanager
def ended_after(seconds: float | None) -> Iterator[None]:
    """End this process if a ``with`` block takes too long; the log then says where it was.

    The thread that watches needs no lock of the interpreter, which a stalled extension may hold.
    It watches all threads of the process together: a block that begins or ends is progress.

    Args:
        seconds: that it may take; None for no limit.
    """
    if seconds is None:
        yield
        return
    _watch(seconds, begun=1)
    try:
        yield
    finally:
        _watch(seconds, begun=-1)


def _watch(seconds: float, begun: int) -> None:
    global _watched_blocks
    with _watch_lock:
        _watched_blocks += begun
        if _watched_blocks:
            faulthandler.dump_traceback_later(seconds, exit=True, file=STANDARD_ERROR)
        else:
            faulthandler.cancel_dump_traceback_later()


def keep_freed_memory() -> None:
    """Tell glibc, where it is used, to keep large blocks when they are freed.

    By default it hands them back to the system, which clears all pages of the next feature map of
    the same size; that takes longer than computing what goes there.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        # musl has no mallopt.
        if hasattr(libc, "mallopt"):
            libc.mallopt(M_MMAP_MAX, 0)
            libc.mallopt(M_TRIM_THRESHOLD, NEVER)
            libc.mallopt(M_TOP_PAD, TOP_PAD_BYTES)
            libc.mallopt(M_ARENA_MAX, 1)
