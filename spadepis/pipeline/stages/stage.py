"""What a stage is, and how a job describes one before a worker makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import Declaration


class Stage(Protocol):
    """One step of a job, called with scenes.

    Making or calling one changes nothing of its process but memory, so that it can be used in a
    notebook too. What sets a process up is ``pipeline.workers``. Scenes that have failed pass
    unchanged.
    """

    declaration: ClassVar[Declaration]

    def __call__(self, scenes: list[Scene], /) -> list[Any]:
        """The same scenes, one step further.

        A stage may change what it is given, but for the values of arrays.
        """
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
        # A stage of one's own is part of the identity of an image set in this form.
        arguments = (f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.kind.__qualname__}({', '.join(arguments)})"

    @property
    def device(self) -> str:
        """The device that it is made for."""
        return str(self.arguments.get("device", "cpu"))

    def make(self) -> Stage:
        """The stage; its networks are read here."""
        return self.kind(**self.arguments)
