"""Estimated amounts for people: bytes and durations with two significant digits."""

from __future__ import annotations

from collections.abc import Sequence

BYTE_UNITS = (("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12))
# A longer duration is told in the next unit.
LONGEST = 120
TIME_UNITS = (("s", 1.0), ("min", 60.0), ("h", 3600.0))


def bytes_text(size: float) -> str:
    """A number of bytes: ``2.3 GB``."""
    return _in_unit(size, BYTE_UNITS, 1000)


def duration_text(seconds: float) -> str:
    """A duration: ``35 min``; hours are the largest unit."""
    return _in_unit(seconds, TIME_UNITS, LONGEST)


def _in_unit(amount: float, units: Sequence[tuple[str, float]], limit: float) -> str:
    """An amount in the first unit in which it is below the limit, or in the last one."""
    amounts = [(float(f"{amount / factor:.2g}"), name) for name, factor in units]
    value, name = next((each for each in amounts if each[0] < limit), amounts[-1])
    return f"{value:,.0f} {name}" if value >= 10 else f"{value:g} {name}"
