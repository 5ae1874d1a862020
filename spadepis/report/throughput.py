"""The throughput of a job: images per minute over the time that it ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from spadepis.dataset.image_set.commits import done

MOST_INTERVALS = 60
# With fewer intervals, or fewer images in one, the curve would show single blocks.
FEWEST_INTERVALS = 4
IMAGES_IN_INTERVAL = 5
MINUTE = 60.0
# Where starts are not known, a job is taken to have been stopped in longer gaps between commits.
LONGEST_GAP_SECONDS = 15 * MINUTE


@dataclass(frozen=True)
class Throughput:
    """How fast the images of a set were made.

    Attributes:
        start: when the job began, or when the first image was committed if that is not known.
        end: when the last image was committed.
        minutes: duration from start to end, not counting the time when the job was not running.
        images: number of images.
        images_a_minute: the rate in intervals of equal length; empty if the set is small.
        from_start_of_job: whether ``start`` is that of the job.
    """

    start: datetime
    end: datetime
    minutes: float
    images: int
    images_a_minute: Sequence[float]
    from_start_of_job: bool

    @property
    def images_an_hour(self) -> float:
        """The rate over the whole duration."""
        return 60 * self.images / self.minutes


def measure_throughput(log: pa.Table, starts: Sequence[datetime] = ()) -> Throughput | None:
    """The throughput, from the times of commits; None if no time has passed.

    Args:
        log: all pairs of the image set, as ``read_log`` returns them.
        starts: when the runs of its job began.
    """
    times = done(log)["committed"].drop_null()
    if not len(times):
        return None
    seconds = np.sort(times.cast(pa.int64()).to_numpy() / 1000)
    begun = np.array([-np.inf, *sorted(start.timestamp() for start in starts)])
    # A run works on an image from the commit before it, or from its own start.
    run = np.searchsorted(begun, seconds, "right") - 1
    since = np.maximum(begun[run], [-np.inf, *seconds[:-1]])
    gaps = np.where(np.isfinite(since), seconds - since, 0)
    gaps[(run == 0) & (gaps > LONGEST_GAP_SECONDS)] = 0
    running = np.cumsum(gaps)
    if not running[-1]:
        return None
    minutes = float(running[-1]) / MINUTE
    intervals = min(MOST_INTERVALS, len(seconds) // IMAGES_IN_INTERVAL)
    rates: Sequence[float] = ()
    if intervals >= FEWEST_INTERVALS:
        counts, _ = np.histogram(running, bins=intervals, range=(0, running[-1]))
        rates = (counts * (intervals / minutes)).tolist()
    from_start = bool(run[0])
    first = begun[run[0]] if from_start else seconds[0]
    start, end = (datetime.fromtimestamp(each, UTC) for each in (first, seconds[-1]))
    return Throughput(start, end, minutes, len(seconds), rates, from_start)
