"""What travels through passes over inputs: a file, a row of an Arrow table."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass
class File:
    """A label map, or a style photo with its label map if it has one.

    Attributes:
        id: id of the file.
        source: its path or URI; None if nothing can be done with it.
        mask_source: path or URI of the label map of a style photo.
    """

    id: str
    source: str | None
    mask_source: str | None = None

    def copy(self) -> File:
        """The same file."""
        return replace(self)

    def by_style(self) -> list[File]:
        """This file, which has no styles."""
        return [self]

    def fail(
        self, stage: str, source: str | None, error: Exception, unexpected: bool = False
    ) -> None:
        """Take its source away, so that nothing is left to do with it."""
        self.source = None
