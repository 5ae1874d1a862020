"""Progress in a log: how often, and what its lines say."""

import logging

import pytest

from spadepis.pipeline import progress
from spadepis.pipeline.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that progress sees, in its only element."""
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


def test_a_line_after_ten_seconds_and_then_every_minute(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    shown = Progress(done=0, total=200, workers={"smooth": 1})
    with caplog.at_level(logging.INFO):
        for _ in range(130):
            clock[0] += 1
            shown.update(1, 0, 0, {"smooth": 0.5})
        shown.close()
    assert [message.split()[1] for message in caplog.messages] == [
        "10/200",
        "70/200",
        "130/200",
    ]


def test_a_line_tells_rate_time_left_failures_and_the_slowest_stage(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    shown = Progress(done=20, total=100, workers={"stylize": 4, "smooth": 1})
    clock[0] += 20
    with caplog.at_level(logging.INFO):
        shown.update(done=37, failed=2, rejected=1, seconds={"stylize": 30.0, "smooth": 10.0})
    (line,) = caplog.messages
    assert "60/100 [00:20<00:20,  2.00pair/s" in line
    assert line.endswith("2 failed, 1 rejected, slowest stage: smooth]")
