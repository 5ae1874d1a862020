"""Which stages run in how many workers, and what each worker takes of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spadepis.pipeline.resources.allocation import Workers
from spadepis.pipeline.stages.stage import StageSpec


@dataclass(frozen=True)
class Pool:
    """Workers that are all alike.

    Attributes:
        stages: stages that each of them hosts: one, or several consecutive ones on the same device.
        workers: how many, and what each of them takes.
    """

    stages: Sequence[StageSpec]
    workers: Workers

    @property
    def name(self) -> str:
        """The names of its stages."""
        return "+".join(stage.declaration.name for stage in self.stages)

    @property
    def computes(self) -> bool:
        """Whether its workers compute, rather than read or write."""
        return any(stage.declaration.computes for stage in self.stages)
