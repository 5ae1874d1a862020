"""The distinct neighbourhoods of label maps.

SPADE's scale and shift at a pixel come from two stacked 3x3 convolutions of the semantic map, so
they depend on nothing but the classes and edge bits of the 5x5 pixels around it. Label maps are
flat: on COCO-Stuff at 256x256 there are about ten times as many pixels as distinct neighbourhoods,
and one computation serves all the pixels that share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Neighbourhoods:
    """The distinct 3x3 and 5x5 neighbourhoods of a batch of label maps, each with a number.

    Attributes:
        classes: class indices of each distinct 3x3 neighbourhood in reading order, int64 [U,9];
            ``num_classes`` outside the image.
        edges: instance edges of the same pixels, bool [U,9].
        padded_index_3x3: number of the 3x3 neighbourhood of each pixel, including those one step
            outside the image, int64 [N,h+2,w+2].
        num_classes: number of classes of the label space.
    """

    classes: Tensor
    edges: Tensor
    padded_index_3x3: Tensor
    num_classes: int

    @property
    def index_3x3(self) -> Tensor:
        """Number of the 3x3 neighbourhood of each pixel, int64 [N,h,w]."""
        return self.padded_index_3x3[:, 1:-1, 1:-1]

    @property
    def distinct_share(self) -> float:
        """Number of distinct 3x3 neighbourhoods, as a share of the number of pixels."""
        return len(self.classes) / self.index_3x3.numel()

    @cached_property
    def index_5x5(self) -> Tensor:
        """Number of the 5x5 neighbourhood of each pixel, int64 [N,h,w]."""
        # The 3x3 neighbourhoods at its four corners cover a 5x5 neighbourhood.
        index = self.padded_index_3x3
        sides = _number_pairs(index[:, :, :-2], index[:, :, 2:])
        return _number_pairs(sides[:, :-2], sides[:, 2:])

    @cached_property
    def parts_of_5x5(self) -> Tensor:
        """The 3x3 neighbourhoods around the 9 innermost pixels of each distinct 5x5, int64 [V,9].

        In reading order.
        """
        return _windows(self.padded_index_3x3)[_find_one_of_each(self.index_5x5)]


def find_neighbourhoods(labels: Tensor, edges: Tensor | None, num_classes: int) -> Neighbourhoods:
    """Find the distinct neighbourhoods of label maps, exactly.

    Args:
        labels: class indices, int64 [N,h,w].
        edges: instance edges, bool [N,h,w], or None.
        num_classes: number of classes of the label space.
    """
    # One number for each pixel: 0 outside the image, elsewhere class and edge bit.
    pixels = 1 + labels if edges is None else 1 + labels + num_classes * edges
    pixels = F.pad(pixels, (2, 2, 2, 2))
    count = 2 * num_classes + 1
    rows = (pixels[:, :, :-2] * count + pixels[:, :, 1:-1]) * count + pixels[:, :, 2:]
    index_3x3 = _number_pairs(_number_pairs(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    values = _windows(pixels)[_find_one_of_each(index_3x3)]
    return Neighbourhoods(
        classes=torch.where(values == 0, num_classes, (values - 1) % num_classes),
        edges=values > num_classes,
        padded_index_3x3=index_3x3,
        num_classes=num_classes,
    )


def _number_pairs(a: Tensor, b: Tensor) -> Tensor:
    """Number the distinct pairs of non-negative entries of a and b from 0 on."""
    pairs = a * (b.max() + 1) + b
    numbers: Tensor = torch.unique(pairs, return_inverse=True)[1]
    return numbers


def _find_one_of_each(numbers: Tensor) -> Tensor:
    """A position, in the flattened tensor, of each number from 0 to the largest."""
    flat = numbers.flatten()
    positions = flat.new_empty(int(flat.max()) + 1)
    positions[flat] = torch.arange(len(flat), device=flat.device)
    return positions


def _windows(values: Tensor) -> Tensor:
    """The 3x3 windows of [N,h,w], as [N*(h-2)*(w-2),9]."""
    windows = values.unfold(1, 3, 1).unfold(2, 3, 1)
    return windows.reshape(-1, 9)
