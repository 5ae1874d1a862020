"""Equal errors, one after the other, end a job; bad inputs among good ones do not."""

import pytest

from spadepis.pipeline.repeated_errors import MOST_EQUAL_ERRORS, RepeatedError, RepeatedErrors


def test_equal_errors_without_a_success() -> None:
    errors = RepeatedErrors()
    for _ in range(MOST_EQUAL_ERRORS // 2):
        errors.update(0, ["smooth: ValueError: a", "read: ValueError: b", "smooth: ValueError: a"])
    with pytest.raises(RepeatedError, match="21 scenes .* smooth: ValueError: a"):
        errors.update(0, ["smooth: ValueError: a"])


def test_a_success_among_them_and_different_errors() -> None:
    errors = RepeatedErrors()
    for number in range(5 * MOST_EQUAL_ERRORS):
        errors.update(number % MOST_EQUAL_ERRORS == 0, ["smooth: ValueError: a"])
    for number in range(5 * MOST_EQUAL_ERRORS):
        errors.update(0, [f"smooth: ValueError: {number}"])
