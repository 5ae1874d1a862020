"""What a check finds out, one fact at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fact:
    """One result of a check.

    Attributes:
        name: what was measured, with its size and precision.
        value: the result.
        unit: of the value, if it is a number.
        limit: the largest value that is right, if there is one.
        details: further numbers by name, such as the peak memory beside a rate.
    """

    name: str
    value: float | str
    unit: str = ""
    limit: float | None = None
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        """Whether the value is within its limit. NaN is not."""
        return self.limit is None or (isinstance(self.value, float) and self.value <= self.limit)

    def __str__(self) -> str:
        """One line for people."""
        value = f"{self.value:.4g}" if isinstance(self.value, float) else self.value
        line = f"{self.name}: {value} {self.unit}".rstrip()
        if self.details:
            line += f" ({', '.join(f'{name} {n:.4g}' for name, n in self.details.items())})"
        if not self.is_right:
            line += f"  WRONG: the limit is {self.limit:g}"
        return line
