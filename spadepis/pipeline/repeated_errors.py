"""Telling a bug, or a machine that cannot do the job, from bad inputs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from spadepis.pipeline.outcome import UnexpectedFailure

log = logging.getLogger(__name__)

MOST_EQUAL_ERRORS = 20
MOST_LINES = 100


class RepeatedError(RuntimeError):
    """The same error has occurred so often that the rest of the job would fail, too."""


class RepeatedErrors:
    """Logs unexpected errors, and counts equal ones since the last scene that was done."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lines = 0

    def update(self, done: int, unexpected: Iterable[UnexpectedFailure]) -> None:
        """Add what became of some scenes: pairs with a result, and unexpected failures.

        Raises:
            RepeatedError: there were more than ``MOST_EQUAL_ERRORS`` equal ones, and no result.
        """
        # A scene that was done style by style may have several.
        failures = set(unexpected)
        self._log(failures)
        if done:
            self._counts.clear()
            return
        self._counts.update(error for _, error in failures)
        for error, count in self._counts.most_common(1):
            if count > MOST_EQUAL_ERRORS:
                raise RepeatedError(
                    f"{count} scenes have failed with the same error, and none was done in "
                    f"between: {error}. Once its cause is removed, --retry-failed does them again"
                )

    def _log(self, failures: Iterable[UnexpectedFailure]) -> None:
        for mask_id, error in sorted(failures):
            self._lines += 1
            if self._lines <= MOST_LINES:
                log.warning("%s failed in %s", mask_id, error)
            if self._lines == MOST_LINES:
                log.warning("more such failures will only be in the image set")
