"""Reading a sample of the label maps as the job will read them, to learn which will fail."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from spadepis.dataset.inputs.conventions import LabelConventions
from spadepis.dataset.inputs.examination import THREADS, LabelMapFinding, sample_of
from spadepis.dataset.inputs.grids import orientation_on
from spadepis.dataset.inputs.image_files import RefusedImageError, UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.labels.label_space import LabelSpace

_SHOWN_VALUES = 5


@dataclass(frozen=True)
class Reading:
    """What a label map held, or why it will fail.

    Attributes:
        source: source of the label map.
        classes: names of its classes; None if it cannot be read or holds values of no class.
        outside: its values that are no class of the label space.
        failure: the file and why its scene will fail; None if nothing speaks against it.
    """

    source: str
    classes: list[str] | None
    outside: Collection[int] = ()
    failure: str | None = None


@dataclass(frozen=True)
class TrialReading:
    """A sample of label maps, read as the job will read them.

    Attributes:
        label_space: name of the label space.
        total: how many label maps there are.
        readings: what was read, by id.
        of_styles: whether they are those of styles, not of scenes.
    """

    label_space: str
    total: int
    readings: Mapping[str, Reading]
    of_styles: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all label maps were read."""
        return len(self.readings) == self.total

    @property
    def failing(self) -> Mapping[str, Reading]:
        """Those that will fail, by id."""
        return {id: each for id, each in self.readings.items() if each.failure is not None}

    def of(self, ids: Sequence[str]) -> TrialReading:
        """The part with some ids; the whole sample if it is all that is known of them."""
        if not self.is_whole:
            return self
        readings = {id: self.readings[id] for id in ids if id in self.readings}
        return replace(self, total=len(readings), readings=readings)

    @property
    def warnings(self) -> list[str]:
        """How many will fail and why: those with values of no class, and others."""
        outside = [each for each in self.failing.values() if each.outside]
        others = [each for each in self.failing.values() if not each.outside]
        lines = []
        if outside:
            values = sorted({value for each in outside for value in each.outside})
            held = f"{'it holds' if len(outside) == 1 else 'they hold'} {_no_class(values)}"
            lines.append(
                f"{self._count(outside)} will fail: {held} of {self.label_space}, "
                f"e.g. {outside[0].source}"
            )
        if others:
            lines.append(f"{self._count(others)} will fail, e.g. {others[0].failure}")
        return lines

    @property
    def problem(self) -> str | None:
        """Why the label maps cannot be meant, if all that were read will fail."""
        if not self.readings or len(self.failing) < len(self.readings):
            return None
        return f"no label map can be used, e.g. {next(iter(self.failing.values())).failure}"

    def _count(self, some: Sequence[Reading]) -> str:
        kind = "label maps of styles" if self.of_styles else "label maps"
        if self.is_whole:
            return f"{len(some):,} of {self.total:,} {kind}"
        return f"{len(some):,} of the {len(self.readings):,} {kind} that were examined"


def names_by_value(space: LabelSpace) -> dict[int, str]:
    """Names of the classes by label map value, as published and as 8-bit files hold it."""
    values = zip((*space.raw_values, *space.published_values), space.names * 2, strict=True)
    return {value: name for value, name in values if value is not None}


def try_reading(
    sources: Mapping[str, str],
    findings: Sequence[LabelMapFinding],
    label_space: LabelSpace,
    max_pixels: int,
    conventions: LabelConventions,
) -> TrialReading:
    """Read the sample of label maps, by id, that ``examine_label_maps`` has examined."""
    finding_of = {each.source: each for each in findings}
    names = names_by_value(label_space)

    def read(source: str) -> Reading:
        classes = None
        try:
            label_map = read_label_map(source, max_pixels, conventions, label_space)
            values = np.unique(label_map).tolist()
            if outside := [value for value in values if value not in names]:
                failure = f"{source}: it holds {_no_class(outside)} of {label_space.name}"
                return Reading(source, None, outside, failure)
            classes = [names[value] for value in values]
            finding = finding_of.get(source)
            if finding is not None and finding.photo is not None:
                orientation_on(finding.extent, finding.photo, conventions.grid)
        except UnreadableImageError as error:
            return Reading(source, None, failure=str(error))
        except RefusedImageError as error:
            return Reading(source, classes, failure=f"{source}: {error}")
        return Reading(source, classes)

    ids = sample_of(list(sources))
    with ThreadPoolExecutor(THREADS) as pool:
        readings = list(pool.map(read, [sources[id] for id in ids]))
    return TrialReading(label_space.name, len(sources), dict(zip(ids, readings, strict=True)))


def _no_class(values: Sequence[int]) -> str:
    shown = ", ".join(map(str, values[:_SHOWN_VALUES]))
    if len(values) > _SHOWN_VALUES:
        shown += ", ..."
    return f"{shown}, which {'is no class' if len(values) == 1 else 'are no classes'}"
