"""What travels between stages: a label map (or photo) with its styles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import dataclass, field, fields, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Style:
    """A style that a scene is to get; all fields are None if photos are only synthesized.

    Attributes:
        id: id of the style photo.
        source: path or URI of the style photo.
        mask_source: path or URI of its label map, if the styles have label maps.
    """

    id: str | None
    source: str | None
    mask_source: str | None = None


@dataclass(frozen=True)
class Failure:
    """A style that a scene will not get, and why.

    Attributes:
        style: the style that failed.
        stage: the stage in which it failed.
        source: the file that the stage was working on.
        error: type of the error.
        message: what the error says; if it is unexpected, the last line.
        unexpected: whether the stage did not foresee the error.
    """

    style: Style
    stage: str
    source: str | None
    error: str
    message: str
    unexpected: bool = False


@dataclass
class Scene:
    """One label map (or photo) with its K styles, the unit of work.

    Attributes:
        id: id of the label map, or of the photo if photos are stylized.
        styles: the styles still to be done; a failure moves a style to ``failures``.
        mask_source: path or URI of the label map; None for a photo without one.
        instance_source: path or URI of the instance map, if there is one.
        photo_source: path or URI of the photo, if photos are stylized.
        choices: how many more styles are to be chosen, those most like the scene.
        passed_over: ids of styles that must not be chosen.
        has_results: whether the image set has results of it in other styles.
        failures: the styles that failed.
        label_map: class indices, uint8 [H,W].
        edges: instance edges of the padded instance map, bool, H and W rounded up to multiples of
            32.
        instances: instance ids that are to be written, uint8 or uint16 [H,W].
        content: the photo to stylize, uint8 [H,W,3].
        results: stylized photos in the order of ``styles``, each uint8 [H,W,3].
        quality: metrics of the results in the same order; see ``spadepis.quality.metrics``.
        seconds: time spent on this scene, by stage.
    """

    id: str
    styles: list[Style]
    mask_source: str | None = None
    instance_source: str | None = None
    photo_source: str | None = None
    choices: int = 0
    passed_over: list[str] = field(default_factory=list)
    has_results: bool = False
    failures: list[Failure] = field(default_factory=list)
    label_map: NDArray[np.uint8] | None = None
    edges: NDArray[np.bool_] | None = None
    instances: NDArray[np.uint8 | np.uint16] | None = None
    content: NDArray[np.uint8] | None = None
    results: list[NDArray[np.uint8]] = field(default_factory=list)
    quality: list[dict[str, float | None]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def copy(self) -> Scene:
        """The same scene with lists and dictionaries of its own; images are shared."""
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        own: dict[str, Any] = {name: copy(it) for name, it in values if isinstance(it, list | dict)}
        return replace(self, **own)

    @property
    def source(self) -> str | None:
        """The file that the scene was read from."""
        return self.mask_source if self.photo_source is None else self.photo_source

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the content, which is there."""
        assert self.content is not None
        height, width, _ = self.content.shape
        return height, width

    @property
    def is_waiting(self) -> bool:
        """Whether anything is still to be done."""
        return bool(self.styles or self.choices)

    @property
    def has_failed(self) -> bool:
        """Whether it was given up with all of its styles."""
        return bool(self.failures) and not self.is_waiting

    def fail(
        self, stage: str, source: str | None, error: Exception, unexpected: bool = False
    ) -> None:
        """Give up all styles of this scene; styles not chosen yet count as one failure."""
        if self.choices:
            self.styles.append(Style(None, None))
            self.choices = 0
        for style in list(self.styles):
            self.fail_style(style, stage, source, error, unexpected)
        self.results, self.quality = [], []

    def fail_style(
        self,
        style: Style,
        stage: str,
        source: str | None,
        error: Exception,
        unexpected: bool = False,
    ) -> None:
        """Give up one style of this scene."""
        self.styles.remove(style)
        kind, message = type(error).__name__, str(error)
        if unexpected:
            # PyTorch puts stacks and advice into its messages.
            message = "".join(message.strip().splitlines()[-1:])
        self.failures.append(Failure(style, stage, source, kind, message or kind, unexpected))

    def by_style(self) -> list[Scene]:
        """This scene with each of its styles by itself; without styles, this scene."""
        if not self.styles:
            return [self]
        parts = [
            replace(
                self,
                styles=[style],
                failures=[],
                results=self.results[i : i + 1],
                quality=self.quality[i : i + 1],
                seconds={},
            )
            for i, style in enumerate(self.styles)
        ]
        parts[0] = replace(parts[0], failures=self.failures, seconds=self.seconds)
        return parts

    def join(self, other: Scene) -> None:
        """Add what became of other styles of this scene."""
        self.styles += other.styles
        self.failures += other.failures
        self.results += other.results
        self.quality += other.quality
        for stage, seconds in other.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def timed(self, stage: str) -> AbstractContextManager[None]:
        """Add the time of a ``with`` block to this scene's seconds in ``stage``."""
        return timed_together(stage, [self])


@contextmanager
def timed_together(stage: str, scenes: Sequence[Scene]) -> Iterator[None]:
    """Share the time of a ``with`` block among scenes, as ``Scene.timed`` for each."""
    start = perf_counter()
    yield
    seconds = perf_counter() - start
    for scene in scenes:
        scene.seconds[stage] = scene.seconds.get(stage, 0.0) + seconds / len(scenes)


def join_styles(parts: Sequence[Sequence[Any]]) -> list[Any]:
    """Undo ``Scene.by_style``; what writing returns for the parts stays as it is."""
    first, *others = (item for part in parts for item in part)
    if not isinstance(first, Scene):
        return [first, *others]
    for other in others:
        first.join(other)
    return [first]
