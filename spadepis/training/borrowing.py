"""Rare classes borrow pixels from related ones: a floor-other may be called floor-tile.

Most classes of COCO-Stuff are in a few training pictures only, from which a network learns the
pictures rather than the class. A related class that many pictures show teaches what all floors have
in common, and those few pictures what is special about tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from spadepis.labels import LabelSpace
from spadepis.labels.related_classes import find_region_labels

# Classes that borrow from another group than their own, or have none: a window with a blind is a
# window rather than a curtain, a wall of rock a mountain rather than gravel, and a bear has fur.
RESEMBLED: Final[Mapping[str, str]] = {
    "window-blind": "window-other",
    "rock": "mountain",
    "bear": "dog",
    "elephant": "dog",
    "giraffe": "dog",
    "zebra": "dog",
}

# A class that fewer pictures show borrows; one that at least as many show lends.
RARE_BELOW, LENDS_FROM = 50, 100

# A class borrows as many pixels as it has, or this share of all pixels where that is more.
SMALLEST_LOAN = 2e-3
# A class lends at most this share of its pixels.
LARGEST_LOAN = 0.5


@dataclass(frozen=True)
class Borrowing:
    """Which classes lend to which.

    Attributes:
        chances: by class that lends, the chance that a label map names a borrower in its place, by
            borrower.
    """

    chances: Mapping[int, Mapping[int, float]]

    @classmethod
    def plan(
        cls, space: LabelSpace, pictures: NDArray[np.int64], shares: NDArray[np.float64]
    ) -> Self:
        """Let each rare class borrow from the class of its group that most pictures show.

        Args:
            space: the label space; its groups of related classes are those that come with spadepis,
                but for ``RESEMBLED``.
            pictures: in how many pictures each class is, [num_classes].
            shares: share of all pixels that each class has, [num_classes].
        """
        regions = _groups(space)
        chances: dict[int, dict[int, float]] = {}
        for region in np.unique(regions[regions >= 0]):
            members = np.flatnonzero(regions == region)
            lender = int(members[pictures[members].argmax()])
            if pictures[lender] >= LENDS_FROM:
                loans = {
                    int(member): float(max(shares[member], SMALLEST_LOAN) / shares[lender])
                    for member in members
                    if pictures[member] < RARE_BELOW
                }
                scale = LARGEST_LOAN / max(LARGEST_LOAN, sum(loans.values()))
                chances[lender] = {member: scale * loan for member, loan in loans.items()}
        return cls({lender: loans for lender, loans in chances.items() if loans})

    def shares(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """The expected share of pixels of each class after borrowing, from those before."""
        after = shares.copy()
        for lender, loans in self.chances.items():
            for borrower, chance in loans.items():
                after[lender] -= chance * shares[lender]
                after[borrower] += chance * shares[lender]
        return after

    def relabel(self, label_map: Tensor, random: Generator) -> Tensor:
        """A label map [H,W] in which each class that lends may be called one of its borrowers."""
        lent = label_map.clone()
        for lender in sorted(self.chances.keys() & set(label_map.flatten().tolist())):
            borrowers, chances = zip(*self.chances[lender].items(), strict=True)
            odds = torch.tensor([*chances, 1 - sum(chances)])
            name = [*borrowers, lender][int(torch.multinomial(odds, 1, generator=random))]
            lent[label_map == lender] = name
        return lent


def _groups(space: LabelSpace) -> NDArray[np.int64]:
    """The number of the group of each class, or -1, [num_classes]."""
    groups = np.array(find_region_labels(space, None))
    for name, resembled in RESEMBLED.items():
        if name in space.names and resembled in space.names:
            groups[space.names.index(name)] = groups[space.names.index(resembled)]
    return groups
