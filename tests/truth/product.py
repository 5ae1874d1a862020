"""The product as a reader of cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from spadepis.dataset.inputs.conventions import LabelConventions
from spadepis.dataset.inputs.examination import conventions_of, examine_label_maps
from spadepis.dataset.inputs.grids import Grid
from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.dataset.inputs.label_values import Scaling
from spadepis.dataset.inputs.listing import list_images
from spadepis.dataset.inputs.photos import read_photo
from spadepis.labels import COCO_STUFF, LABEL_SPACES
from spadepis.labels.numbering import find_misnumbering
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.read import ReadScenes
from tests.truth.case import Array

LIMIT = 10**6


class RefusedSceneError(Exception):
    """A failed row."""


class Product:
    """Reads as a job does."""

    def photo(self, path: Path) -> Array:
        """Read a photo as displayed."""
        return read_photo(str(path), LIMIT)

    def label_map(
        self, path: Path, label_space: str, neighbours: Path | None, scaling: str | None
    ) -> Array:
        """Read the label values of a file, among those of a folder."""
        found: Mapping[str, str] = {"map": str(path)}
        if neighbours is not None:
            found = list_images(str(neighbours)).images
        findings, _ = examine_label_maps(found, None, LIMIT)
        conventions = conventions_of(findings, scaling=cast(Scaling | None, scaling))
        return read_label_map(str(path), LIMIT, conventions, LABEL_SPACES[label_space])

    def checked(self, path: Path, label_space: str, folder: Path) -> Array:
        """Read the label values of a file, after the check of its set."""
        findings, _ = examine_label_maps(list_images(str(folder)).images, None, LIMIT)
        histograms = {each.source: each.pixels_by_value for each in findings}
        heights = {each.source: each.heights for each in findings}
        reason = find_misnumbering(LABEL_SPACES[label_space], histograms, heights)
        if reason is not None:
            raise RefusedSceneError(reason)
        return self.label_map(path, label_space, folder, None)

    def scene(self, folder: Path, id: str, grid: str | None) -> tuple[Array, Array]:
        """Read photo and class indices of a scene, among others."""
        photos, masks = (list_images(str(folder / kind)).images for kind in ("photos", "masks"))
        findings, _ = examine_label_maps(masks, photos, LIMIT)
        conventions = conventions_of(findings, cast(Grid | None, grid))
        style = Style("style", None)
        scene = Scene(id, [style], mask_source=masks[id], photo_source=photos[id])
        found = self._read(scene, None, conventions)
        assert found.content is not None and found.label_map is not None
        return found.content, found.label_map

    def instances(self, mask: Path, instances: Path) -> Array:
        """Read the instance edges of a label map."""
        scene = Scene("x", [Style(None, None)], str(mask), str(instances))
        found = self._read(scene, None, LabelConventions())
        return _edges(found)

    def instances_of_set(self, folder: Path, id: str) -> Array:
        """Read the instance edges of a scene among others."""
        masks, instances = (list_images(str(folder / k)).images for k in ("masks", "instances"))
        findings, _ = examine_label_maps(masks, None, LIMIT, instances)
        scene = Scene("x", [Style(None, None)], masks[id], instances[id])
        found = self._read(scene, None, conventions_of(findings))
        return _edges(found)

    def values_by_id(self, uri: str) -> Mapping[str, int]:
        """Read the first label value of every image."""
        images = list_images(uri).images
        return {id: int(read_label_map(source, LIMIT)[0, 0]) for id, source in images.items()}

    def ids(self, uri: str) -> Sequence[str]:
        """List the ids of all images."""
        return list(list_images(uri).images)

    def _read(
        self, scene: Scene, size: tuple[int, int] | None, conventions: LabelConventions
    ) -> Scene:
        stage = ReadScenes(COCO_STUFF, size, 1000, LIMIT, conventions)
        (found,) = stage([scene])
        if found.failures:
            raise RefusedSceneError(found.failures[0].message)
        return found


def _edges(scene: Scene) -> Array:
    """The instance edges without those of the padding."""
    assert scene.edges is not None and scene.label_map is not None
    height, width = scene.label_map.shape
    return scene.edges[:height, :width]
