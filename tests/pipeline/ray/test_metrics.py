"""What a worker reports of a stage: numbers and failed pairs."""

import json
import logging
from collections import defaultdict
from typing import Any, ClassVar

import pytest
from ray.util.metrics import Counter, Gauge

from spadepis.pipeline.outcome import BatchOutcome
from spadepis.pipeline.ray import metrics
from spadepis.pipeline.ray.metrics import MOST_LINES, StageMetrics
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.stages.stage import Stage, StageSpec
from spadepis.pipeline.workers.worker import Worker

Reported = dict[str, list[float]]


class Rejected(Exception):  # noqa: N818
    pass


class Odd:
    """Fails the first style of every scene and rejects the second."""

    declaration: ClassVar = Declaration("odd")

    def __init__(self, message: str) -> None:
        self.message = message

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        for scene in scenes:
            first, second = scene.styles[:2]
            scene.fail_style(first, "odd", "file.png", ValueError(self.message))
            scene.fail_style(second, "odd", None, Rejected("too odd"))
        return scenes


class Count:
    """What writing returns."""

    declaration: ClassVar = Declaration("count", returns=BatchOutcome)

    def __call__(self, scenes: list[Scene]) -> list[BatchOutcome]:
        return [BatchOutcome(done=7, failed=len(scenes), rejected=0, seconds={}, unexpected=[])]


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Reported:
    """Values by metric, in the order in which they were reported."""
    values: Reported = defaultdict(list)

    def keep(metric: Any, value: float = 1.0, tags: dict[str, str] | None = None) -> None:
        assert set(metric.info["default_tags"]) == {"stage"} and not tags
        values[metric.info["name"]].append(value)

    monkeypatch.setattr(Counter, "inc", keep)
    monkeypatch.setattr(Gauge, "set", keep)
    return values


def batch_of(scenes: int) -> list[Scene]:
    styles = [Style(name, f"{name}.jpg") for name in "abc"]
    failed = Scene("mask0", list(styles))
    failed.fail_style(styles[2], "read", None, ValueError("before"))
    others = [Scene(f"mask{i}", list(styles)) for i in range(1, scenes)]
    return [failed, *others]


def measured(kind: type[Stage], **arguments: str) -> Worker:
    return Worker([StageSpec(kind, arguments)], [StageMetrics(kind.declaration.name)])


@pytest.mark.usefixtures("process_settings")
def test_a_measured_stage_is_the_stage(reported: Reported) -> None:
    batch = batch_of(4)
    assert measured(Odd, message="odd")(batch) == Odd("odd")(batch)


@pytest.mark.usefixtures("process_settings")
def test_pairs_failures_and_seconds_are_counted(reported: Reported) -> None:
    measured(Odd, message="odd")(batch_of(4))
    assert reported["spadepis_pairs"] == [3]
    assert reported["spadepis_failed_pairs"] == [4]
    assert reported["spadepis_rejected_pairs"] == [4]
    assert reported["spadepis_batches"] == [1, 0]
    assert 0 < sum(reported["spadepis_seconds"]) < 10
    reported.clear()
    measured(Count)(batch_of(4))
    assert reported["spadepis_pairs"] == [7]
    assert "spadepis_failed_pairs" not in reported


@pytest.mark.usefixtures("process_settings")
def test_failed_pairs_are_lines_of_json(
    reported: Reported, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, metrics.__name__):
        measured(Odd, message="a 'line'\nor two")(batch_of(2))
    lines = [json.loads(message) for message in caplog.messages]
    expected: dict[str, object] = {"event": "failed pair", "stage": "odd", "source": "file.png"}
    expected |= {"style_id": "a", "unexpected": False}
    expected |= {"error": "ValueError", "message": "a 'line'\nor two"}
    assert lines == [{**expected, "mask_id": f"mask{i}"} for i in range(2)]
    assert all("\n" not in message for message in caplog.messages)


@pytest.mark.usefixtures("process_settings")
def test_a_broken_dataset_does_not_flood_the_log(
    reported: Reported, caplog: pytest.LogCaptureFixture
) -> None:
    worker = measured(Odd, message="odd")
    with caplog.at_level(logging.WARNING, metrics.__name__):
        for _ in range(3):
            worker(batch_of(MOST_LINES // 2 + 5))
    assert len(caplog.messages) == MOST_LINES + 1
    last = json.loads(caplog.messages[-1])
    assert "failures" in last["event"] and last["stage"] == "odd"
    assert sum(reported["spadepis_failed_pairs"]) == 3 * (MOST_LINES // 2 + 5)
