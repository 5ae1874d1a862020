"""The jobs that make image sets."""

from __future__ import annotations

from enum import StrEnum


class Job(StrEnum):
    """What a job makes."""

    SYNTHESIZE = "synthesize"
    STYLIZE = "stylize"
    SYNTHESIZE_AND_STYLIZE = "synthesize_and_stylize"

    @property
    def synthesizes(self) -> bool:
        """Whether content photos are made from label maps."""
        return self is not Job.STYLIZE

    @property
    def stylizes(self) -> bool:
        """Whether photos get the look of style photos."""
        return self is not Job.SYNTHESIZE
