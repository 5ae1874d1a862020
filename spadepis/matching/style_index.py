"""An index of styles by what they show, from which those most like a scene are chosen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spadepis.matching.descriptors import Descriptor

# The similarity of a style that could not be described; all others are larger.
LEAST_SIMILARITY = -2.0
# Channels that hardly differ between styles say nothing.
SMALLEST_DEVIATION = 1e-6


@dataclass(frozen=True)
class StyleIndex:
    """Styles to choose from by what they show.

    Attributes:
        ids: ids of the styles.
        descriptors: float32 [n,d], a row for each style: class shares, or deep features; NaN for
            a style that could not be described.
        are_shares: whether the descriptors are class shares.
    """

    ids: Sequence[str]
    descriptors: NDArray[np.float32]
    are_shares: bool

    def choose(
        self, scene: Descriptor, count: int, diversity: float, without: Collection[str] = ()
    ) -> list[str]:
        """The styles most like a scene, the best first.

        Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): one after the other, the
        style is taken for which ``similarity to the scene - diversity * similarity to the most
        similar style taken`` is largest.

        Args:
            scene: descriptor [d] of the scene, of the same kind.
            count: how many; fewer if there are fewer styles.
            diversity: 0 takes the most similar styles; 1 weighs similarity and redundancy alike.
            without: ids of styles that must not be taken.
        """
        chosen: list[str] = []
        if not self._unknown.all():
            chosen = self._choose_known(scene, count, diversity, without)
        if len(chosen) < count:
            pairs = zip(self.ids, self._unknown, strict=True)
            unknown = [id for id, is_unknown in pairs if is_unknown]
            chosen += [id for id in unknown if id not in without][: count - len(chosen)]
        return chosen

    def _choose_known(
        self, scene: Descriptor, count: int, diversity: float, without: Collection[str]
    ) -> list[str]:
        """The same of the styles that could be described."""
        relevance = self._similarities(self._prepared(scene[None])[0])
        relevance[[id in without for id in self.ids]] = -np.inf
        relevance[self._unknown] = -np.inf
        redundancy = np.full(len(self.ids), -np.inf, np.float32)
        chosen: list[str] = []
        for _ in range(count):
            score = relevance - diversity * redundancy if chosen else relevance
            best = int(np.argmax(score))
            if relevance[best] == -np.inf:
                break
            chosen.append(self.ids[best])
            relevance[best] = -np.inf
            redundancy = np.maximum(redundancy, self._similarities(self._rows[best]))
        return chosen

    def _similarities(self, row: Descriptor) -> Descriptor:
        """Similarities of one descriptor to those of all styles, at most 1."""
        if self.are_shares:
            # Histogram intersection (Swain and Ballard, IJCV 1991).
            similarities = np.minimum(self._rows, row).sum(axis=1)
        else:
            similarities = self._rows @ row
        known: Descriptor = np.nan_to_num(similarities, nan=LEAST_SIMILARITY)
        return known

    @cached_property
    def _unknown(self) -> NDArray[np.bool_]:
        """Which styles could not be described; they are chosen last."""
        return np.asarray(np.isnan(self.descriptors).any(axis=1))

    @cached_property
    def _rows(self) -> NDArray[np.float32]:
        return self._prepared(self.descriptors)

    @cached_property
    def _statistics(self) -> tuple[Descriptor, Descriptor]:
        """Mean and deviation of each feature over the styles, [d] each."""
        return np.nanmean(self.descriptors, axis=0), np.nanstd(self.descriptors, axis=0)

    def _prepared(self, descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features in units of their spread among styles, scaled to length 1; shares unchanged."""
        if self.are_shares:
            return descriptors
        mean, deviation = self._statistics
        useful = deviation > SMALLEST_DEVIATION
        centred = (descriptors - mean)[:, useful] / deviation[useful]
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        units: Descriptor = centred / np.maximum(lengths, SMALLEST_DEVIATION)
        return units
