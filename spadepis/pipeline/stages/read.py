"""Reading the label maps, instance maps and photos of scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import (
    check_borders,
    read_class_map,
    read_instance_map,
    resize_label_map,
)
from spadepis.dataset.inputs.photos import (
    limited_size,
    read_photo_with_extent,
    resize_photo,
)
from spadepis.labels import LabelSpace, instance_edges
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import READ
from spadepis.pipeline.stages.padding import padded

MOST_IN_PNG = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class ReadScenes:
    """Read what a scene starts from: a label map with its instance edges, a photo, or both.

    A file that cannot be used fails its scene; the failure names the file and the reason.

    Attributes:
        label_space: label space of the label maps.
        size: height and width that everything is resized to; None keeps the size of each photo or,
            without photos, label map.
        longest_side: those that keep their size are shrunk to this; None for no limit.
        max_pixels: files with more are refused.
        conventions: how label maps are read where a file leaves it open.
        keep_instances: whether instance ids are kept for writing.
        deblock: whether photos are deblocked if blocks are visible in them.
    """

    declaration: ClassVar = READ

    label_space: LabelSpace
    size: tuple[int, int] | None
    longest_side: int | None
    max_pixels: int
    conventions: LabelConventions = UNKNOWN_CONVENTIONS
    keep_instances: bool = False
    deblock: bool = False

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        """Fill in the content from a photo, and what the label map and the instance map tell."""
        for scene in scenes:
            if not scene.has_failed:
                with scene.timed(READ.name):
                    try:
                        self._read(scene)
                    except UnreadableImageError as error:
                        scene.fail(READ.name, error.uri, error)
        return scenes

    def _read(self, scene: Scene) -> None:
        size = self.size
        extent = None
        if scene.photo_source is not None:
            photo = read_photo_with_extent(scene.photo_source, self.max_pixels)
            pixels = photo.pixels
            if self.deblock:
                # It takes a while to import, and few jobs need it.
                from spadepis.pipeline.stages.deblock import without_blocks

                pixels = without_blocks(photo)
            scene.content = self._resize_photo(pixels)
            size = scene.content.shape[:2]
            extent = photo.extent
        if scene.mask_source is not None:
            label_map = read_class_map(
                scene.mask_source, self.label_space, self.max_pixels, self.conventions, extent
            )
            size = size or self._limited(label_map.classes.shape)
            scene.label_map = resize_label_map(label_map.classes, *size)
            if scene.instance_source is not None:
                ids = read_instance_map(scene.instance_source, label_map, self.max_pixels)
                if self.conventions.borders_agree:
                    check_borders(label_map.classes, ids, scene.instance_source)
                ids = resize_label_map(ids, *size)
                if self.label_space.has_instance_edges:
                    scene.edges = instance_edges(padded(ids))
                if self.keep_instances:
                    scene.instances = _for_png(ids, scene.instance_source)

    def _resize_photo(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return resize_photo(photo, *(self.size or self._limited(photo.shape)))

    def _limited(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width, shrunk uniformly until no side is longer than ``longest_side``."""
        return limited_size(shape, self.longest_side or max(shape))


def _for_png(ids: NDArray[np.integer[Any]], uri: str) -> NDArray[np.uint8 | np.uint16]:
    """Instance ids in the 8 or 16 bits that PNG files of greys have."""
    if ids.min() < 0 or ids.max() > MOST_IN_PNG:
        raise UnreadableImageError(
            uri,
            f"its ids go from {ids.min()} to {ids.max()}, and --keep-instances writes PNG files, "
            f"which hold 0 to {MOST_IN_PNG}",
        )
    return ids.astype(np.uint8 if ids.max() <= np.iinfo(np.uint8).max else np.uint16)
