"""The distinct neighbourhoods of label maps.

SPADE's scale and shift at a pixel come from two stacked 3x3 convolutions of the semantic map, so
they depend on nothing but the classes and edge bits of the 5x5 pixels around it. Label maps are
flat: on COCO-Stuff at 256x256 there are about ten times as many pixels as distinct neighbourhoods,
and one computation serves all the pixels that share one.

A CPU numbers them, also for a GPU: there, sorting would take longer than it saves, and the host
would have to wait for the number of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import accumulate, repeat
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.kernels.numbering import number_quadruples, rows_of_windows

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Neighbourhoods:
    """The distinct 3x3 and 5x5 neighbourhoods of a batch of label maps, each with a number.

    Unless the border is replicated, what lies outside the image is another class, without edges,
    whose rows of the table are the first ones. All tensors are int32.

    Attributes:
        rows_3x3: what each distinct 3x3 neighbourhood has at its 9 pixels, in reading order, as
            rows of a table of ``table_rows`` for each of the 9 positions, [U,9].
        index_3x3: number of the 3x3 neighbourhood of each pixel, [N,h,w].
        num_classes: number of classes of the label space.
        has_edges: whether there are instance edges.
        rows_5x5: the 3x3 neighbourhoods around the 9 innermost pixels of each distinct 5x5, in
            reading order, as rows of a table of one row for each position of each 3x3, [V,9]; None
            if there are so many distinct 3x3 neighbourhoods that counting them is of no use.
        index_5x5: number of the 5x5 neighbourhood of each pixel, [N,h,w]; None likewise.
        replicated: whether the border is replicated outside the image, in the label map and, for
            5x5 neighbourhoods, in the map of 3x3 neighbourhoods.
    """

    rows_3x3: Tensor
    index_3x3: Tensor
    num_classes: int
    has_edges: bool
    rows_5x5: Tensor | None = None
    index_5x5: Tensor | None = None
    replicated: bool = False

    @property
    def table_rows(self) -> int:
        """Outside, the classes and, if there are edges, the classes on an edge."""
        return _count_pixel_values(self.num_classes, self.has_edges)

    @cached_property
    def classes(self) -> Tensor:
        """Classes of each distinct 3x3 neighbourhood, [U,9]; ``num_classes`` outside the image."""
        values = self._values
        return torch.where(values == 0, self.num_classes, (values - 1) % self.num_classes)

    @cached_property
    def edges(self) -> Tensor:
        """Instance edges of the same pixels, bool [U,9]."""
        return self._values > self.num_classes

    @property
    def _values(self) -> Tensor:
        positions = torch.arange(9, device=self.rows_3x3.device)
        return self.rows_3x3 - positions * self.table_rows

    @cached_property
    def offsets_3x3(self) -> Tensor:
        """Where the rows of each distinct 3x3 neighbourhood begin in ``rows_3x3``, flattened."""
        return _offsets(self.rows_3x3)

    @cached_property
    def offsets_5x5(self) -> Tensor:
        """Where the rows of each distinct 5x5 neighbourhood begin in ``rows_5x5``, flattened."""
        assert self.rows_5x5 is not None
        return _offsets(self.rows_5x5)

    @property
    def distinct_share(self) -> float:
        """Number of distinct 3x3 neighbourhoods, as a share of the number of pixels."""
        return len(self.rows_3x3) / self.index_3x3.numel()

    def to(self, device: torch.device) -> Neighbourhoods:
        """The same on a device, in one copy for which the host does not wait."""
        if device.type == "cpu":
            return self
        tensors = [self.rows_3x3, self.index_3x3, self.rows_5x5, self.index_5x5]
        given = [tensor for tensor in tensors if tensor is not None]
        packed = torch.cat([tensor.flatten() for tensor in given]).pin_memory()
        sizes = [tensor.numel() for tensor in given]
        parts = iter(torch.split(packed.to(device, non_blocking=True), sizes))
        moved = [None if tensor is None else next(parts).view(tensor.shape) for tensor in tensors]
        rows_3x3, index_3x3, rows_5x5, index_5x5 = moved
        assert rows_3x3 is not None and index_3x3 is not None
        return replace(
            self, rows_3x3=rows_3x3, index_3x3=index_3x3, rows_5x5=rows_5x5, index_5x5=index_5x5
        )


def find_neighbourhoods(
    labels: Tensor,
    edges: Tensor | None,
    num_classes: int,
    dense_above: float = np.inf,
    replicate: bool = False,
    map: Callable[..., Iterable[Any]] = map,
) -> Neighbourhoods:
    """Find the distinct neighbourhoods of each label map, exactly.

    Args:
        labels: class indices, integers [N,h,w] on the CPU.
        edges: instance edges, bool [N,h,w] on the CPU, or None.
        num_classes: number of classes of the label space.
        dense_above: the share of distinct 3x3 neighbourhoods above which 5x5 neighbourhoods are
            not looked for.
        replicate: replicate the border outside the image.
        map: applies a function to what each label map has; that of threads takes several at once.
    """
    bits = repeat(None) if edges is None else edges.numpy()
    number = partial(_number_3x3, num_classes=num_classes, replicate=replicate)
    of_3x3 = list(map(number, labels.numpy(), bits))
    rows, index = _join([(rows, padded[1:-1, 1:-1]) for rows, padded in of_3x3])
    found = Neighbourhoods(rows, index, num_classes, edges is not None, replicated=replicate)
    if found.distinct_share > dense_above:
        return found
    # Joining counts the 3x3 neighbourhoods of the maps before; 9 rows each.
    before = accumulate((9 * len(rows) for rows, _ in of_3x3[:-1]), initial=0)
    number_wide = partial(_number_5x5, replicate=replicate)
    of_5x5 = list(map(number_wide, [padded for _, padded in of_3x3], before))
    rows_5x5, index_5x5 = _join(of_5x5)
    return replace(found, rows_5x5=rows_5x5, index_5x5=index_5x5)


def _offsets(rows: Tensor) -> Tensor:
    return torch.arange(0, rows.numel(), rows.shape[1], dtype=rows.dtype, device=rows.device)


def _count_pixel_values(num_classes: int, has_edges: bool) -> int:
    return 1 + num_classes + has_edges * num_classes


def _pixel_values(
    classes: NDArray[np.integer[Any]],
    edges: NDArray[np.bool_] | None,
    num_classes: int,
    replicate: bool,
) -> NDArray[np.int64]:
    """A number for each pixel and those up to two steps outside, by default 0: [h+4,w+4]."""
    inside = classes.astype(np.int64)
    inside += 1
    if edges is not None:
        inside += num_classes * edges
    return np.pad(inside, 2, mode="edge") if replicate else np.pad(inside, 2)


def _number_3x3(
    classes: NDArray[np.integer[Any]],
    edges: NDArray[np.bool_] | None,
    num_classes: int,
    replicate: bool,
) -> tuple[Numbers, Numbers]:
    """Rows [U,9] of the distinct 3x3 neighbourhoods, and the number of each pixel's.

    The pixels are those of the image and those one step outside.
    """
    values = _pixel_values(classes, edges, num_classes, replicate)
    count = _count_pixel_values(num_classes, edges is not None)
    # One number for each three pixels beside each other.
    threes = (values[:, :-2] * count + values[:, 1:-1]) * count + values[:, 2:]
    numbers, first = number_quadruples(threes[:-2], threes[1:-1], threes[2:], threes[2:])
    rows = rows_of_windows(values, first, numbers.shape[1], 1, count, 0)
    return rows, np.pad(numbers[1:-1, 1:-1], 1, mode="edge") if replicate else numbers


def _number_5x5(
    padded: Numbers, first_row: int, replicate: bool = False
) -> tuple[Numbers, Numbers]:
    """Rows [V,9] of the distinct 5x5 neighbourhoods, and the number of each pixel's."""
    if replicate:
        # Outside the image stand the numbers of pixels inside, so that all nine have to be equal:
        # first each three of a row, then each three of these.
        rows, _ = number_quadruples(padded[:, :-2], padded[:, 1:-1], padded[:, 2:], padded[:, 2:])
        numbers, first = number_quadruples(rows[:-2], rows[1:-1], rows[2:], rows[2:])
    else:
        # The 3x3 neighbourhoods at its four corners cover a 5x5 neighbourhood.
        top, bottom = padded[:-2], padded[2:]
        numbers, first = number_quadruples(top[:, :-2], top[:, 2:], bottom[:, :-2], bottom[:, 2:])
    return rows_of_windows(padded, first, numbers.shape[1], 9, 1, first_row), numbers


def _join(maps: Sequence[tuple[Numbers, Numbers]]) -> tuple[Tensor, Tensor]:
    """The rows of all maps, one after another, and the numbers that count on: [N,h,w]."""
    counts = [len(rows) for rows, _ in maps]
    before = np.cumsum([0, *counts[:-1]], dtype=np.int32)
    numbers = np.stack([index + first for (_, index), first in zip(maps, before, strict=True)])
    return torch.from_numpy(np.concatenate([rows for rows, _ in maps])), torch.from_numpy(numbers)
