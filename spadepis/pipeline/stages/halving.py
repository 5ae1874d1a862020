"""What a stage does when its device runs out of memory: the same work on fewer items at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

log = logging.getLogger(__name__)

Item = TypeVar("Item")


def in_halves(
    work: Callable[[Sequence[Item]], None],
    items: Sequence[Item],
    give_up: Callable[[Item, Exception], None],
    errors: tuple[type[Exception], ...] = (torch.OutOfMemoryError,),
) -> None:
    """Do a batch; if it is too large, do each half by itself, and so on.

    Args:
        work: does a batch, or raises one of ``errors`` and leaves nothing done.
        items: the batch.
        give_up: called with a single item that cannot be done, and the error.
        errors: after which fewer items are tried.
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
