"""What the stages of a job say about themselves.

A stage class carries its declaration; planning reads it without loading the code of the stage.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from spadepis.pipeline.outcome import BatchOutcome
from spadepis.pipeline.scene import Scene

# Reading and writing take so little that what other workers leave of a node always suffices.
CPU_OF_READING_OR_WRITING = 0.05


@dataclass(frozen=True)
class Declaration:
    """What a job has to know about a stage.

    Stages of the same name do the same thing, so that a user's own stage counts as the one that it
    replaces.

    Attributes:
        name: name of the stage in failures, seconds, metrics, logs and reports.
        devices: devices that it can run on, "cpu" and perhaps "cuda".
        cpus: logical CPUs that a worker of it takes on a CPU; 1 for a stage that computes.
        workers_setting: name of the setting that fixes its number of workers, if there is one.
        rate_setting: name of the setting of ``spadepis plan`` for its rate, if it has one.
        per_result: whether its items are results, rather than label maps.
        returns: class of what it returns.
    """

    name: str
    devices: tuple[str, ...] = field(default=("cpu",), compare=False)
    cpus: float = field(default=1.0, compare=False)
    workers_setting: str | None = field(default=None, compare=False)
    rate_setting: str = field(default="", compare=False)
    per_result: bool = field(default=True, compare=False)
    returns: type = field(default=Scene, compare=False)

    @property
    def computes(self) -> bool:
        """Whether a worker of it keeps a CPU busy, rather than waiting for storage."""
        return self.cpus >= 1


READ = Declaration("read", cpus=CPU_OF_READING_OR_WRITING, per_result=False)
SYNTHESIZE = Declaration(
    "synthesize",
    devices=("cpu", "cuda"),
    workers_setting="synthesis_workers",
    rate_setting="synthesis_rate",
    per_result=False,
)
STYLIZE = Declaration(
    "stylize",
    devices=("cpu", "cuda"),
    workers_setting="stylization_workers",
    rate_setting="stylization_rate",
)
SMOOTH = Declaration(
    "smooth",
    devices=("cpu", "cuda"),
    workers_setting="smoothing_workers",
    rate_setting="smoothing_rate",
)
ASSESS = Declaration("assess", devices=("cpu", "cuda"), rate_setting="quality_rate")
WRITE = Declaration("write", cpus=CPU_OF_READING_OR_WRITING, returns=BatchOutcome)

STAGES = (READ, SYNTHESIZE, STYLIZE, SMOOTH, ASSESS, WRITE)
