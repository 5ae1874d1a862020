"""How far a job is, on a terminal and in a log."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from time import monotonic

from tqdm import tqdm

log = logging.getLogger(__name__)
# The first line shows that the job is alive.
SECONDS_TO_FIRST_LINE = 10.0
SECONDS_BETWEEN_LINES = 60.0
# Results come in blocks, so that the second block may follow the first one at once.
SECONDS_TO_RATE = 5.0


class Progress:
    """Shows pairs done, total, rate, time left, failures and the slowest stage.

    On a terminal it is a bar; elsewhere a line is logged after ten seconds, then every minute,
    and at the end. The rate counts from the first results, for until these come Ray starts and
    models are loaded. There is none, and no time left, until results have come for a while. The
    last line has the rate of the whole run.

    Args:
        done: pairs settled before this run.
        total: pairs of the job.
        workers: number of workers by name of their stage.
    """

    def __init__(self, done: int, total: int, workers: Mapping[str, int]) -> None:
        self._bar = tqdm(total=total, initial=done, unit="pair", disable=None)
        self._total = total
        self._before = self._done = done
        # When the first results came, and how many pairs were settled then.
        self._first: tuple[float, int] | None = None
        self._logged: int | None = None
        self._failed = self._rejected = 0
        self._workers = workers
        self._seconds: Counter[str] = Counter()
        self._start = monotonic()
        self._next_line = self._start + SECONDS_TO_FIRST_LINE

    def update(self, done: int, failed: int, rejected: int, seconds: Mapping[str, float]) -> None:
        """Add pairs that were settled since the last call, and what each stage spent on them."""
        settled = done + failed + rejected
        self._done += settled
        self._failed += failed
        self._rejected += rejected
        self._seconds.update(seconds)
        if settled and self._first is None:
            self._first = monotonic(), self._done
            self._restart_bar()
        else:
            self._bar.update(settled)
        self._bar.set_postfix_str(self._postfix())
        if monotonic() >= self._next_line:
            self._log_line()

    def close(self) -> None:
        """Leave the bar as it is, or log the last line if it is not there yet."""
        if self._done != self._logged:
            self._log_line()
        self._bar.close()

    @property
    def slowest(self) -> str | None:
        """The stage whose workers were busy longest, each of them on average."""
        busy = {
            stage: spent / self._workers.get(stage, 1) for stage, spent in self._seconds.items()
        }
        return max(busy, key=busy.__getitem__, default=None)

    def _restart_bar(self) -> None:
        """Let the rate of the bar count from now."""
        self._bar.n = self._bar.initial = self._bar.last_print_n = self._done
        self._bar.unpause()

    def _rate(self, now: float) -> float:
        """Pairs a second since the first results; 0, which is shown as "?", if it is too early."""
        if self._done == self._total > self._before:
            return (self._done - self._before) / (now - self._start)
        if self._first is None or now - self._first[0] < SECONDS_TO_RATE:
            return 0.0
        start, settled = self._first
        return (self._done - settled) / (now - start)

    def _postfix(self) -> str:
        parts = [f"{self._failed} failed"]
        if self._rejected:
            parts.append(f"{self._rejected} rejected")
        if self.slowest:
            parts.append(f"slowest stage: {self.slowest}")
        return ", ".join(parts)

    def _log_line(self) -> None:
        now = monotonic()
        self._next_line = now + SECONDS_BETWEEN_LINES
        self._logged = self._done
        if self._bar.disable:
            meter = tqdm.format_meter(
                self._done,
                self._total,
                now - self._start,
                unit="pair",
                rate=self._rate(now),
                postfix=self._postfix(),
                ncols=0,
            )
            log.info("%s", meter)
