"""Equal errors, one after the other, end a job; bad inputs among good ones do not."""

from collections.abc import Iterator
from itertools import count

import pytest

from spadepis.pipeline.outcome import UnexpectedFailure
from spadepis.pipeline.repeated_errors import (
    MOST_EQUAL_ERRORS,
    MOST_LINES,
    RepeatedError,
    RepeatedErrors,
)


@pytest.fixture
def ids() -> Iterator[int]:
    return count()


def failures(ids: Iterator[int], *errors: str) -> list[UnexpectedFailure]:
    """Each twice, as two styles of a scene."""
    return 2 * [UnexpectedFailure(str(next(ids)), error) for error in errors]


def test_equal_errors_without_a_success(ids: Iterator[int]) -> None:
    errors = RepeatedErrors()
    for _ in range(MOST_EQUAL_ERRORS // 2):
        errors.update(0, failures(ids, "smooth: a", "read: b", "smooth: a"))
    with pytest.raises(RepeatedError, match="21 scenes .* smooth: a"):
        errors.update(0, failures(ids, "smooth: a"))


def test_a_success_among_them_and_different_errors(
    ids: Iterator[int], caplog: pytest.LogCaptureFixture
) -> None:
    errors = RepeatedErrors()
    for number in range(5 * MOST_EQUAL_ERRORS):
        errors.update(number % MOST_EQUAL_ERRORS == 0, failures(ids, "smooth: a"))
    for number in range(5 * MOST_EQUAL_ERRORS):
        errors.update(0, failures(ids, f"smooth: {number}"))
    assert len(caplog.messages) == MOST_LINES + 1
    assert caplog.messages[0] == "0 failed in smooth: a"
