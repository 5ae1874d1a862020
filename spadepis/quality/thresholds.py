"""Thresholds that a result has to meet."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from spadepis.quality.metrics import METRICS

_THRESHOLD = re.compile(r"\s*(\w+)\s*([<>])\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


@dataclass(frozen=True)
class Threshold:
    """A bound on a quality metric: a result on the far side of it is rejected.

    Attributes:
        metric: its name, one of ``METRICS``.
        below: whether lower values are rejected, rather than higher ones.
        bound: the value.
    """

    metric: str
    below: bool
    bound: float

    def violation(self, quality: Mapping[str, float | None]) -> str | None:
        """Why a result is rejected, or None; a metric that is missing rejects nothing."""
        value = quality.get(self.metric)
        if value is None or not (value < self.bound if self.below else value > self.bound):
            return None
        return f"{self.metric} {value:.3g} {'<' if self.below else '>'} {self.bound:g}"


def parse_thresholds(text: str, metrics: Collection[str] = tuple(METRICS)) -> Sequence[Threshold]:
    """Thresholds with commas between them: ``structure<0.5,clipped>0.2``.

    Args:
        text: the thresholds.
        metrics: the names of the metrics that results have.

    Raises:
        ValueError: a threshold has another form, or names a metric that results do not have.
    """
    thresholds = []
    for part in text.split(","):
        match = _THRESHOLD.fullmatch(part)
        if match is None or match[1] not in METRICS:
            raise ValueError(
                f"{part.strip()} is not METRIC<NUMBER or METRIC>NUMBER with one of "
                f"{', '.join(metrics)}"
            )
        if match[1] not in metrics:
            raise ValueError(
                f"{part.strip()} would reject nothing: these results have no {match[1]}, only "
                f"{', '.join(metrics)}"
            )
        thresholds.append(Threshold(match[1], match[2] == "<", float(match[3])))
    return thresholds
