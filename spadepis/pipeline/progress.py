"""How far a job is, on a terminal and in a log."""

from __future__ import annotations

import logging
from time import monotonic

from tqdm import tqdm

log = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Shows pairs done, total, rate and time left.

    On a terminal it is a bar; elsewhere a line is logged every ten seconds and at the end.

    Args:
        done: pairs settled before this run.
        total: pairs of the job.
    """

    def __init__(self, done: int, total: int) -> None:
        self._bar = tqdm(total=total, initial=done, unit="pair", disable=None)
        self._total = total
        self._initial = self._done = done
        self._logged: int | None = None
        self._failed = self._rejected = 0
        self._start = self._last_line = monotonic()

    def update(self, done: int, failed: int, rejected: int) -> None:
        """Add pairs that were settled since the last call."""
        settled = done + failed + rejected
        self._done += settled
        self._failed += failed
        self._rejected += rejected
        self._bar.update(settled)
        if self._failed or self._rejected:
            self._bar.set_postfix(failed=self._failed, rejected=self._rejected)
        if monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._log_line()

    def close(self) -> None:
        """Leave the bar as it is, or log the last line if it is not there yet."""
        if self._done != self._logged:
            self._log_line()
        self._bar.close()

    def _log_line(self) -> None:
        self._last_line = monotonic()
        self._logged = self._done
        if self._bar.disable:
            meter = tqdm.format_meter(
                self._done,
                self._total,
                self._last_line - self._start,
                unit="pair",
                initial=self._initial,
                postfix=f"{self._failed} failed",
                ncols=0,
            )
            log.info("%s", meter)
