"""Bytes and durations: two significant digits, in a unit that keeps numbers short."""

import pytest

from spadepis.pipeline.planning.amounts import bytes_text, duration_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 kB"),
        (640, "0.64 kB"),
        (1_455_972, "1.5 MB"),
        (9_960_000, "10 MB"),
        (99_600_000, "100 MB"),
        (996_000_000, "1 GB"),
        (14_900_000_000, "15 GB"),
        (5_230_000_000_000_000, "5,200 TB"),
    ],
)
def test_bytes(size: int, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0.04 s"),
        (13.6, "14 s"),
        (119.9, "2 min"),
        (36 * 60, "36 min"),
        (2.24 * 3600, "2.2 h"),
        (12_345 * 3600, "12,000 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
