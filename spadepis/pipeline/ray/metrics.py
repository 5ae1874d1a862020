"""What workers report of their stages: numbers to Prometheus, failed pairs to a log.

Ray exports the numbers of every node with its own; their names begin with ``ray_spadepis_``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from ray.util.metrics import Counter, Gauge

from spadepis.dataset.image_set.commits import REJECTED

log = logging.getLogger(__name__)

# The most lines of one worker: a broken dataset must not fill the disks of the nodes.
MOST_LINES = 100
TAGS = ("stage",)


class StageMetrics:
    """The numbers and the log of one stage in one worker.

    Args:
        stage: name of the stage, the one tag of the numbers.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.lines = 0
        self.pairs = Counter("spadepis_pairs", "Pairs that a stage has done.", TAGS)
        self.failed = Counter("spadepis_failed_pairs", "Pairs that failed in a stage.", TAGS)
        self.rejected = Counter("spadepis_rejected_pairs", "Pairs rejected in a stage.", TAGS)
        self.seconds = Counter("spadepis_seconds", "Seconds that workers worked.", TAGS)
        self.batches = Gauge("spadepis_batches", "Blocks that workers work on.", TAGS)
        for metric in (self.pairs, self.failed, self.rejected, self.seconds, self.batches):
            metric.set_default_tags({"stage": stage})

    def begin(self) -> None:
        """A block has come."""
        self.batches.set(1)

    def end(self, batch: pa.Table, result: pa.Table, seconds: float) -> None:
        """A block is done.

        Args:
            batch: rows of scenes, as they came.
            result: the same rows as the stage returns them, or how many pairs were written.
            seconds: duration of the work.
        """
        self.batches.set(0)
        _increase(self.seconds, seconds)
        if "done" in result.column_names:
            _increase(self.pairs, pc.sum(result["done"]).as_py())
            return
        _increase(self.pairs, pc.sum(pc.list_value_length(result["styles"])).as_py())
        failures = list(_new_failures(batch, result))
        rejected = sum(failure["error"] == REJECTED for _, failure in failures)
        _increase(self.rejected, rejected)
        _increase(self.failed, len(failures) - rejected)
        for mask_id, failure in failures:
            if failure["error"] != REJECTED:
                self._log(mask_id, failure)

    def _log(self, mask_id: str, failure: dict[str, Any]) -> None:
        if self.lines < MOST_LINES:
            line = {"mask_id": mask_id, **failure, "style_id": failure["style"]["id"]}
            del line["style"]
            log.warning("%s", json.dumps({"event": "failed pair", **line}))
        elif self.lines == MOST_LINES:
            event = "more failed pairs of this worker: all are in the image set's failures"
            log.warning("%s", json.dumps({"event": event, "stage": self.stage}))
        self.lines += 1


def _increase(counter: Counter, value: float) -> None:
    # Ray's counters take no zero.
    if value > 0:
        counter.inc(value)


def _new_failures(batch: pa.Table, result: pa.Table) -> Iterator[tuple[str, dict[str, Any]]]:
    """The failures that a stage has added to its scenes, each with the id of the label map."""
    known = pc.list_value_length(batch["failures"]).to_pylist()
    if pc.sum(pc.list_value_length(result["failures"])).as_py() == sum(known):
        return
    before = dict(zip(batch["id"].to_pylist(), known, strict=True))
    for id, failures in zip(result["id"].to_pylist(), result["failures"].to_pylist(), strict=True):
        yield from ((id, failure) for failure in failures[before[id] :])
