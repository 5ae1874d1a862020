"""Items drawn at random from several sources, one of which may be far larger than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Generator, Tensor

Item = TypeVar("Item")


@dataclass(frozen=True)
class Source(Generic[Item]):
    """Items from one place and how often they are drawn.

    Attributes:
        items: the items, one or more.
        weights: how often each item is drawn, relative to the others, [len(items)].
        weight: how often the source is drawn, relative to other sources.
    """

    items: Sequence[Item]
    weights: Tensor
    weight: float

    @classmethod
    def of_equals(cls, items: Sequence[Item]) -> Source[Item]:
        """A source of items that are drawn equally often, itself by the root of their number.

        Small sources, which hold the rare classes, count for more than their share and still do
        not repeat too often.
        """
        return cls(items, torch.ones(len(items)), len(items) ** 0.5)


def draw(sources: Sequence[Source[Item]], count: int, random: Generator) -> list[Item]:
    """Draw ``count`` items: for each the source by its weight, then the item by its weight."""
    weights = torch.tensor([source.weight for source in sources])
    chosen = torch.multinomial(weights, count, replacement=True, generator=random)
    items = []
    for source in (sources[number] for number in chosen.tolist()):
        items.append(source.items[int(torch.multinomial(source.weights, 1, generator=random))])
    return items
