"""What a stage is, and how a job describes one before a worker makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import pyarrow as pa

from spadepis.pipeline.stages.declarations import Declaration


class Stage(Protocol):
    """One step of a job, called with tables of scenes.

    Making or calling one changes nothing of its process but memory, so that it can be used in a
    notebook too. What sets a process up is ``pipeline.workers``. Scenes that have failed pass
    unchanged.
    """

    declaration: ClassVar[Declaration]

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The same scenes, one step further."""
        ...


@dataclass(frozen=True)
class StageSpec:
    """A stage that is not made yet; unlike the stage it can be sent to another process.

    Attributes:
        kind: the class of the stage.
        arguments: arguments of its constructor.
    """

    kind: type[Stage]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def declaration(self) -> Declaration:
        """What the stage says about itself."""
        return self.kind.declaration

    def __str__(self) -> str:
        arguments = (f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.kind.__qualname__}({', '.join(arguments)})"

    def make(self) -> Stage:
        """The stage; its networks are read here."""
        return self.kind(**self.arguments)
