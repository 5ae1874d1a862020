"""What became of scenes that were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class UnexpectedFailure(NamedTuple):
    """A failure that the stage did not foresee.

    Attributes:
        mask_id: id of the scene.
        error: stage, type and message of the error.
    """

    mask_id: str
    error: str


@dataclass(frozen=True)
class BatchOutcome:
    """How many pairs of a batch are done, failed and rejected, and what they took.

    Attributes:
        done: pairs with a result.
        failed: pairs with an error.
        rejected: pairs whose result does not meet a threshold.
        seconds: what each stage spent on them, by its name.
        unexpected: failures among them, one for each scene and error.
    """

    done: int
    failed: int
    rejected: int
    seconds: dict[str, float]
    unexpected: list[UnexpectedFailure]
