"""How many images a job made a minute, over its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from spadepis.dataset.commit_log import done

MOST_INTERVALS = 60
FEWEST_INTERVALS = 4
IMAGES_IN_INTERVAL = 5
MINUTE = 60.0


@dataclass(frozen=True)
class Throughput:
    """Images a minute in intervals of equal length.

    Attributes:
        start: when the first image was committed.
        end: when the last was.
        images_a_minute: by interval.
    """

    start: datetime
    end: datetime
    images_a_minute: Sequence[float]

    @property
    def minutes(self) -> float:
        """From start to end."""
        return (self.end - self.start).total_seconds() / MINUTE


def throughput(log: pa.Table) -> Throughput | None:
    """From the times when the pairs of a log were committed; None where there is but one time."""
    times = done(log)["committed"].drop_null()
    if not len(times):
        return None
    seconds = times.cast(pa.int64()).to_numpy() / 1000
    start, end = float(seconds.min()), float(seconds.max())
    if start == end:
        return None
    # With fewer images in each the curve would show single blocks.
    intervals = min(MOST_INTERVALS, max(FEWEST_INTERVALS, len(seconds) // IMAGES_IN_INTERVAL))
    counts, _ = np.histogram(seconds, bins=intervals, range=(start, end))
    rates = counts * (intervals * MINUTE / (end - start))
    zone = times.type.tz
    first, last = (pa.scalar(int(t * 1000), pa.timestamp("ms", zone)) for t in (start, end))
    return Throughput(first.as_py(), last.as_py(), rates.tolist())
