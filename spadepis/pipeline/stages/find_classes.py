"""Finding the classes of label maps, for jobs on scenes with certain classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_class_map
from spadepis.labels import LabelSpace
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import Declaration


@dataclass(frozen=True)
class FindClasses:
    """Read label maps and find their classes.

    Attributes:
        label_space: label space of the label maps.
        max_pixels: files with more are refused.
        conventions: how label maps are read where a file leaves it open.
    """

    declaration: ClassVar = Declaration("find classes", returns=tuple)

    label_space: LabelSpace
    max_pixels: int
    conventions: LabelConventions = UNKNOWN_CONVENTIONS

    def __call__(self, scenes: list[Scene]) -> list[tuple[str, list[str] | None]]:
        """The id of each scene and the names of its classes; None if they cannot be read."""
        return [(scene.id, self._classes(scene)) for scene in scenes]

    def _classes(self, scene: Scene) -> list[str] | None:
        if not scene.is_waiting:
            return None
        assert scene.mask_source is not None
        try:
            label_map = read_class_map(
                scene.mask_source, self.label_space, self.max_pixels, self.conventions
            )
        except UnreadableImageError:
            return None
        return [self.label_space.names[index] for index in np.unique(label_map.classes)]
