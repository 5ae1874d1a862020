"""Thresholds that a result has to meet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The figures that a result is given, in the order of the columns of the metadata.
FIGURES = (
    "structure",
    "feature_distance",
    "lab_distance",
    "clipped",
    "sharpness",
    "boundary_disagreement",
)
_THRESHOLD = re.compile(r"\s*(\w+)\s*([<>])\s*([-+.\deE]+)\s*")


@dataclass(frozen=True)
class Threshold:
    """A bound on a figure: a result on the far side of it is rejected.

    Attributes:
        figure: one of ``FIGURES``.
        below: whether it is too low, not too high, that is rejected.
        bound: the value.
    """

    figure: str
    below: bool
    bound: float

    def violation(self, figures: Mapping[str, float | None]) -> str | None:
        """Why figures are rejected, for people; a figure that is not there is not."""
        value = figures.get(self.figure)
        if value is None or not (value < self.bound if self.below else value > self.bound):
            return None
        return f"{self.figure} {value:.3g} {'<' if self.below else '>'} {self.bound:g}"


def parse_thresholds(text: str) -> Sequence[Threshold]:
    """Thresholds with commas between them: ``structure<0.5,clipped>0.2``.

    Raises:
        ValueError: one has another form, or is of another figure.
    """
    thresholds = []
    for part in text.split(","):
        match = _THRESHOLD.fullmatch(part)
        if match is None or match[1] not in FIGURES:
            raise ValueError(
                f"{part.strip()} is not FIGURE<NUMBER or FIGURE>NUMBER with one of "
                f"{', '.join(FIGURES)}"
            )
        thresholds.append(Threshold(match[1], match[2] == "<", float(match[3])))
    return thresholds
