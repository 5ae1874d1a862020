"""What a stage does when its device is out of memory, and when it is broken."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch

log = logging.getLogger(__name__)

Item = TypeVar("Item")
# As shells report it: 128 + SIGABRT, which is what CUDA's own assertions end with.
BROKEN_DEVICE = 134


def in_halves(
    work: Callable[[Sequence[Item]], None],
    items: Sequence[Item],
    give_up: Callable[[Item, Exception], None],
    errors: tuple[type[Exception], ...] = (torch.OutOfMemoryError,),
) -> None:
    """Do a batch; if it is too large, each half by itself, and so on.

    Args:
        work: does a batch, or raises one of ``errors`` and leaves nothing done.
        items: the batch.
        give_up: told of a single item that cannot be done, and why.
        errors: for which fewer items are tried.
    """
    try:
        work(items)
        return
    except errors as error:
        if len(items) == 1:
            give_up(items[0], error)
            return
        log.info("%s: a batch of %d is done in halves", error, len(items))
    middle = len(items) // 2
    for half in (items[:middle], items[middle:]):
        in_halves(work, half, give_up, errors)


@contextmanager
def ending_with_the_device() -> Iterator[None]:
    """End this process if its device fails.

    After a CUDA error every later call fails too: Ray starts another process and does its rows
    again.
    """
    try:
        yield
    except torch.AcceleratorError as error:
        log.error("the device failed, this worker ends: %s", error)
        os._exit(BROKEN_DEVICE)
