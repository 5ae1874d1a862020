"""What workers report of their stages: numbers to Prometheus, failed pairs to a log.

Ray exports the numbers of every node with its own; their names begin with ``ray_spadepis_``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from ray.util.metrics import Counter, Gauge

from spadepis.dataset.image_set.commits import REJECTED
from spadepis.pipeline.outcome import BatchOutcome
from spadepis.pipeline.scene import Failure, Scene

log = logging.getLogger(__name__)

# The most lines of one worker: a broken dataset must not fill the disks of the nodes.
MOST_LINES = 100
TAGS = ("stage",)


class StageMetrics:
    """The numbers, whose tag is the name of the stage, and the log of a stage in a worker."""

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

    def end(
        self, items: Sequence[Scene], results: Sequence[Scene | BatchOutcome], seconds: float
    ) -> None:
        """A block is done."""
        self.batches.set(0)
        _increase(self.seconds, seconds)
        written = [result for result in results if isinstance(result, BatchOutcome)]
        scenes = [result for result in results if isinstance(result, Scene)]
        pairs = [outcome.done for outcome in written] + [len(scene.styles) for scene in scenes]
        _increase(self.pairs, sum(pairs))
        known = {scene.id: len(scene.failures) for scene in items}
        failures = [
            (scene.id, failure) for scene in scenes for failure in scene.failures[known[scene.id] :]
        ]
        rejected = sum(failure.error == REJECTED for _, failure in failures)
        _increase(self.rejected, rejected)
        _increase(self.failed, len(failures) - rejected)
        for mask_id, failure in failures:
            if failure.error != REJECTED:
                self._log(mask_id, failure)

    def _log(self, mask_id: str, failure: Failure) -> None:
        if self.lines < MOST_LINES:
            line = {"mask_id": mask_id, **vars(failure), "style_id": failure.style.id}
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
