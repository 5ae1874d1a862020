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
    with caplog.at_level(logging.INFO):
        clock[0] += 30
        shown.update(done=10, failed=0, rejected=0, seconds={"stylize": 10.0, "smooth": 2.0})
        clock[0] += 60
        shown.update(done=27, failed=2, rejected=1, seconds={"stylize": 20.0, "smooth": 8.0})
    first, line = caplog.messages
    # Nothing tells yet how fast results come.
    assert "30/100 [00:30<?, ?pair/s" in first
    assert "60/100 [01:30<01:20,  2.00s/pair" in line
    assert line.endswith("2 failed, 1 rejected, slowest stage: smooth]")


def test_the_last_line_has_the_rate_of_the_whole_run(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    shown = Progress(done=20, total=100, workers={"smooth": 1})
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            clock[0] += 4
            shown.update(done=40, failed=0, rejected=0, seconds={"smooth": 2.0})
        shown.close()
    (line,) = caplog.messages
    assert "100/100 [00:08<00:00, 10.00pair/s" in line
