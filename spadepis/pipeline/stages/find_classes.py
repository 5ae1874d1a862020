"""Finding the classes of label maps, for jobs on scenes with certain classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_classes
from spadepis.labels import LabelSpace
from spadepis.pipeline.stages.declarations import Declaration

SCHEMA = pa.schema([("id", pa.string()), ("classes", pa.list_(pa.string()))])


@dataclass(frozen=True)
class FindClasses:
    """Read label maps and find their classes.

    Attributes:
        label_space: label space of the label maps.
        max_pixels: files with more are refused.
        conventions: how label maps are read where a file leaves it open.
    """

    declaration: ClassVar = Declaration("find classes")

    label_space: LabelSpace
    max_pixels: int
    conventions: LabelConventions = UNKNOWN_CONVENTIONS

    def __call__(self, batch: pa.Table) -> pa.Table:
        """From columns ``id`` and ``source`` to rows of ``SCHEMA``.

        Label maps that cannot be read, or have no source, have no classes.
        """
        classes = [self._classes(source) for source in batch["source"].to_pylist()]
        return pa.table([batch["id"], pa.array(classes, SCHEMA.field("classes").type)], SCHEMA)

    def _classes(self, source: str | None) -> list[str] | None:
        if source is None:
            return None
        try:
            label_map = read_classes(source, self.label_space, self.max_pixels, self.conventions)
        except UnreadableImageError:
            return None
        return [self.label_space.names[index] for index in np.unique(label_map)]
