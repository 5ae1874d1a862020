"""The throughput of a job: images per minute over the time that it ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from spadepis.dataset.image_set.commits import done

MOST_INTERVALS = 60
FEWEST_INTERVALS = 4
IMAGES_IN_INTERVAL = 5
MINUTE = 60.0
# After a longer gap between two commits, the job is taken to have been stopped.
LONGEST_GAP_SECONDS = 15 * MINUTE


@dataclass(frozen=True)
class Throughput:
    """Images per minute in intervals of equal length.

    Attributes:
        start: when the first image was committed.
        end: when the last image was committed.
        minutes: duration from start to end, not counting the time when the job was not running.
        images_a_minute: the rate in each interval.
    """

    start: datetime
    end: datetime
    minutes: float
    images_a_minute: Sequence[float]


def measure_throughput(log: pa.Table) -> Throughput | None:
    """The throughput, from the times of commits; None if there are not two different times."""
    times = done(log)["committed"].drop_null()
    if not len(times):
        return None
    seconds = np.sort(times.cast(pa.int64()).to_numpy() / 1000)
    gaps = np.diff(seconds)
    running = np.cumsum(np.where(gaps > LONGEST_GAP_SECONDS, 0, gaps))
    if not len(running) or not running[-1]:
        return None
    # With fewer images in an interval, the curve would show single blocks.
    intervals = min(MOST_INTERVALS, max(FEWEST_INTERVALS, len(seconds) // IMAGES_IN_INTERVAL))
    counts, _ = np.histogram([0, *running], bins=intervals, range=(0, running[-1]))
    minutes = float(running[-1]) / MINUTE
    zone = times.type.tz
    first, last = (pa.scalar(int(seconds[i] * 1000), pa.timestamp("ms", zone)) for i in (0, -1))
    rates = counts * (intervals / minutes)
    return Throughput(first.as_py(), last.as_py(), minutes, rates.tolist())
