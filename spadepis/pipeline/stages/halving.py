"""Batches: what is done together, and fewer items at once when a device runs out of memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

import torch

from spadepis.pipeline.device_errors import is_broken_device, is_out_of_memory

log = logging.getLogger(__name__)

Item = TypeVar("Item")


def alike(items: Iterable[Item], key: Callable[[Item], Any]) -> Iterator[list[Item]]:
    """The items that have a key in common, each such list by itself, in the order of the keys."""
    for _, group in groupby(sorted(items, key=key), key=key):
        yield list(group)


def in_halves(
    work: Callable[[Sequence[Item]], None],
    items: Sequence[Item],
    give_up: Callable[[Item, Exception], None],
    further_errors: tuple[type[Exception], ...] = (),
) -> None:
    """Do a batch; if it is too large, do each half by itself, and so on.

    Args:
        work: does a batch, or raises an error and leaves nothing done.
        items: the batch.
        give_up: called with a single item that cannot be done, and the error.
        further_errors: after which fewer items are tried, beside those of too little memory.
    """
    expected: tuple[type[Exception], ...] = (RuntimeError, *further_errors)
    try:
        work(items)
        return
    except expected as error:
        helps = is_out_of_memory(error) or isinstance(error, further_errors)
        if not helps or is_broken_device(error):
            raise
        if len(items) == 1:
            give_up(items[0], error)
            return
        log.info("%s: a batch of %d is done in halves", error, len(items))
    # Now that the error is gone, so are the tensors of the batch. Libraries have no use for the
    # memory that PyTorch keeps.
    torch.cuda.empty_cache()
    middle = len(items) // 2
    for half in (items[:middle], items[middle:]):
        in_halves(work, half, give_up, further_errors)
