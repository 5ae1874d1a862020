"""Reading the label maps, instance maps and photos of scenes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_classes, read_label_map, resize_label_map
from spadepis.dataset.inputs.photos import limit_longest_side, read_photo, resize_photo
from spadepis.labels import LabelSpace, instance_edges
from spadepis.pipeline.scene import Scene, scenes_from_table, scenes_to_table

STAGE = "read"


@dataclass(frozen=True)
class ReadScenes:
    """Read what a scene starts from: a label map with its instance edges, or a photo, or both.

    A file that cannot be used fails its scene, naming the file and the reason.

    Attributes:
        label_space: decodes the label maps.
        size: height and width that everything is resized to; None keeps each photo's own.
        longest_side: photos that keep their own size are shrunk to this.
        max_pixels: files with more are refused.
    """

    label_space: LabelSpace
    size: tuple[int, int] | None
    longest_side: int
    max_pixels: int

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Fill in ``content`` of scenes with a photo, ``label_map`` and ``edges`` with a mask."""
        scenes = scenes_from_table(batch)
        for scene in scenes:
            with scene.timed(STAGE):
                try:
                    self._read(scene)
                except UnreadableImageError as error:
                    scene.fail(STAGE, error.uri, error)
        return scenes_to_table(scenes)

    def _read(self, scene: Scene) -> None:
        size = self.size
        if scene.photo_source is not None:
            scene.content = self._read_photo(scene.photo_source)
            size = scene.content.shape[:2]
        if scene.mask_source is not None:
            label_map = read_classes(scene.mask_source, self.label_space, self.max_pixels)
            size = size or label_map.shape
            scene.label_map = resize_label_map(label_map, *size)
        if scene.instance_source is not None and size is not None:
            instance_ids = read_label_map(scene.instance_source, self.max_pixels)
            scene.edges = instance_edges(resize_label_map(instance_ids, *size))

    def _read_photo(self, source: str) -> NDArray[np.uint8]:
        photo = read_photo(source, self.max_pixels)
        if self.size is None:
            return limit_longest_side(photo, self.longest_side)
        return resize_photo(photo, *self.size)
