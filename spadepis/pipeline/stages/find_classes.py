"""Finding the classes of label maps, for jobs on scenes with certain classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_classes
from spadepis.labels import LabelSpace
from spadepis.pipeline.file import File
from spadepis.pipeline.stages.declarations import Declaration


@dataclass(frozen=True)
class LabelMapClasses:
    """The classes of a label map.

    Attributes:
        id: id of the label map.
        classes: their names; None if the label map cannot be read.
    """

    id: str
    classes: list[str] | None


@dataclass(frozen=True)
class FindClasses:
    """Read label maps and find their classes.

    Attributes:
        label_space: label space of the label maps.
        max_pixels: files with more are refused.
        conventions: how label maps are read where a file leaves it open.
    """

    declaration: ClassVar = Declaration("find classes", takes=File, returns=LabelMapClasses)

    label_space: LabelSpace
    max_pixels: int
    conventions: LabelConventions = UNKNOWN_CONVENTIONS

    def __call__(self, label_maps: list[File]) -> list[LabelMapClasses]:
        """The classes of each label map."""
        return [LabelMapClasses(each.id, self._classes(each.source)) for each in label_maps]

    def _classes(self, source: str | None) -> list[str] | None:
        if source is None:
            return None
        try:
            label_map = read_classes(source, self.label_space, self.max_pixels, self.conventions)
        except UnreadableImageError:
            return None
        return [self.label_space.names[index] for index in np.unique(label_map)]
