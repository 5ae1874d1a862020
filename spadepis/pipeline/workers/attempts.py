"""What is known of the scenes and styles whose workers died."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

# A style is given up after so many scenes in which it alone ended its worker.
SCENES_OF_A_BAD_STYLE = 2

Key = tuple[str, str, str | None]
"""Stage, id of the scene, and id of the style if it is tried by itself."""


class WorkerDied(Exception):  # noqa: N818, its name goes into the commit log
    """A scene has ended every worker that tried it."""


@dataclass(frozen=True)
class Death:
    """How a worker ended.

    Attributes:
        how: signal or exit status, if it is known.
        minutes: minutes without progress, if it was ended for that.
    """

    how: str = ""
    minutes: float | None = None


def describe(deaths: Sequence[Death]) -> str:
    """Say how workers have died, such as "died 3 times (signal 11)"."""
    times = "once" if len(deaths) == 1 else f"{len(deaths)} times"
    last = deaths[-1]
    if last.minutes is not None:
        return f"made no progress for {last.minutes:.3g} minutes, {times}"
    return f"died {times} ({last.how})" if last.how else f"died {times}"


class Attempts:
    """Counts deaths, and remembers bad styles, for all workers of a job."""

    def __init__(self) -> None:
        self._deaths: dict[Key, list[Death]] = defaultdict(list)
        self._suspicions: dict[tuple[str, str], dict[str, Sequence[Death]]] = defaultdict(dict)
        self._news: list[str] = []

    def begin(self, key: Key, most: int) -> Sequence[Death]:
        """The deaths so far. If they are fewer than ``most``, an attempt begins.

        Unless it succeeds, it is one death more.
        """
        before = list(self._deaths[key])
        if len(before) < most:
            # If even the process that watches is killed, nobody can say how.
            self._deaths[key].append(Death())
        return before

    def succeed(self, key: Key) -> None:
        """The attempt that began last has ended well."""
        self._deaths[key].pop()

    def die(self, key: Key, death: Death) -> None:
        """The attempt that began last has ended the worker."""
        self._deaths[key][-1] = death
        stage, scene, style = key
        item = scene if style is None else f"{scene} in the style {style}"
        self.tell(f"{stage}: the worker of {item} {describe(self._deaths[key])}")

    def suspect(self, key: Key, deaths: Sequence[Death]) -> None:
        """A style ended its worker, while others of the same scene did not."""
        stage, scene, style = key
        if style is not None:
            self._suspicions[stage, style][scene] = deaths

    def deaths_of_bad_style(self, key: Key) -> Sequence[Death]:
        """The last deaths that a bad style has caused; none if it is not known to be bad."""
        stage, _, style = key
        suspicions = self._suspicions.get((stage, style or ""), {})
        bad = len(suspicions) >= SCENES_OF_A_BAD_STYLE
        return list(suspicions.values())[-1] if bad else []

    def tell(self, line: str) -> None:
        """Add a line for people."""
        self._news.append(line)

    def take_news(self) -> Sequence[str]:
        """The lines that were added since the last call."""
        news, self._news = self._news, []
        return news
