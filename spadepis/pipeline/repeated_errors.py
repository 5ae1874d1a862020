"""Telling a bug, or a machine that cannot do the job, from bad inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

MOST_EQUAL_ERRORS = 20


class RepeatedError(RuntimeError):
    """The same unexpected error has failed scene after scene."""


class RepeatedErrors:
    """Counts equal unexpected errors since the last scene that was done."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def update(self, done: int, errors: Iterable[str]) -> None:
        """Add what became of some scenes.

        Args:
            done: pairs with a result.
            errors: stage, type and message of what failed unexpectedly, for each scene.

        Raises:
            RepeatedError: there were more than ``MOST_EQUAL_ERRORS`` equal ones, and no result.
        """
        if done:
            self._counts.clear()
            return
        self._counts.update(errors)
        for error, count in self._counts.most_common(1):
            if count > MOST_EQUAL_ERRORS:
                raise RepeatedError(
                    f"{count} scenes have failed with the same error, and none was done in "
                    f"between: {error}. Once its cause is removed, --retry-failed does them again"
                )
