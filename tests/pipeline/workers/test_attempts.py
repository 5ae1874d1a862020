"""What is remembered of deaths: how many there were, what they were, and bad styles."""

import pytest

from spadepis.pipeline.workers.attempts import Attempts, Death, describe

SEGFAULT, STALL = Death("signal 11"), Death("exit status 1", minutes=30.0)
KEY = ("smooth", "a", None)


@pytest.mark.parametrize(
    ("deaths", "text"),
    [
        ([SEGFAULT] * 3, "died 3 times (signal 11)"),
        ([STALL, SEGFAULT], "died 2 times (signal 11)"),
        ([SEGFAULT, STALL], "made no progress for 30 minutes, 2 times"),
        ([Death()], "died once"),
    ],
)
def test_deaths_in_words(deaths: list[Death], text: str) -> None:
    assert describe(deaths) == text


def test_an_attempt_counts_unless_it_succeeds() -> None:
    attempts = Attempts()
    assert attempts.begin(KEY, 3) == []
    attempts.die(KEY, SEGFAULT)
    # Nobody comes back from this one, because the process that watches was killed.
    assert attempts.begin(KEY, 3) == [SEGFAULT]
    assert attempts.begin(KEY, 3) == [SEGFAULT, Death()]
    attempts.succeed(KEY)
    for _ in range(2):
        assert attempts.begin(KEY, 2) == [SEGFAULT, Death()]
    assert attempts.begin(("read", "a", None), 3) == []


def test_deaths_are_told_once() -> None:
    attempts = Attempts()
    for key in (KEY, ("stylize", "a", "b")):
        attempts.begin(key, 3)
        attempts.die(key, SEGFAULT)
    assert attempts.take_news() == [
        "smooth: the worker of a died once (signal 11)",
        "stylize: the worker of a in the style b died once (signal 11)",
    ]
    assert attempts.take_news() == []


def test_a_style_is_bad_when_it_ended_the_workers_of_two_scenes() -> None:
    attempts = Attempts()
    for scene in ("a", "a", "b"):
        assert attempts.deaths_of_bad_style(("stylize", "c", "bad")) == []
        attempts.suspect(("stylize", scene, "bad"), [SEGFAULT])
    assert attempts.deaths_of_bad_style(("stylize", "c", "bad")) == [SEGFAULT]
    assert attempts.deaths_of_bad_style(("stylize", "c", "good")) == []
    assert attempts.deaths_of_bad_style(("smooth", "c", "bad")) == []
    assert attempts.deaths_of_bad_style(("stylize", "c", None)) == []
