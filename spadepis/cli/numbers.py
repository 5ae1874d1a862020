"""Numbers that flags give."""

from __future__ import annotations

from argparse import ArgumentTypeError


def positive(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no number") from None
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text} is not above 0")
    return value


def positive_integer(text: str) -> int:
    """A whole number above 0."""
    value = _integer(text)
    if value < 1:
        raise ArgumentTypeError(f"{text} is not above 0")
    return value


def whole_number(text: str) -> int:
    """A whole number, 0 or more."""
    value = _integer(text)
    if value < 0:
        raise ArgumentTypeError(f"{text} is below 0")
    return value


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no whole number") from None
