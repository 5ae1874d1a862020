"""Describing style photos, so that scenes get the styles most like them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_class_map
from spadepis.dataset.inputs.photos import read_photo
from spadepis.labels import LabelSpace
from spadepis.matching.descriptors import LEVEL, Descriptor, describe_label_map, describe_photo
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import Encoder
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import Declaration


class DescribeStyles:
    """Describe style photos by their label maps, or by their features.

    Args:
        label_space: label space of the label maps.
        region_labels: the region that each class belongs to; see ``labels.related_classes``.
        checkpoint: path or URI of PhotoWCT's weights; None describes by label maps.
        max_pixels: files with more are refused.
        conventions: how label maps are read where a file leaves it open.
    """

    declaration: ClassVar = Declaration("describe styles", returns=tuple)

    def __init__(
        self,
        label_space: LabelSpace,
        region_labels: Sequence[int],
        checkpoint: str | None,
        max_pixels: int,
        conventions: LabelConventions = UNKNOWN_CONVENTIONS,
    ) -> None:
        self.label_space = label_space
        self.region_labels = region_labels
        self.encoder: Encoder | None = None
        if checkpoint is not None:
            self.encoder = PhotoWCT.from_checkpoint(fetch_checkpoint(checkpoint)).encoder(LEVEL)
        self.max_pixels = max_pixels
        self.conventions = conventions

    def __call__(self, styles: list[Scene]) -> list[tuple[str, Descriptor | None]]:
        """The id of each style photo and its descriptor; None if it cannot be read."""
        return [(style.id, self._describe(style)) for style in styles]

    def _describe(self, style: Scene) -> Descriptor | None:
        if not style.is_waiting:
            return None
        try:
            if self.encoder is not None:
                assert style.photo_source is not None
                photo = read_photo(style.photo_source, self.max_pixels)
                return describe_photo(photo, self.encoder)
            assert style.mask_source is not None
            label_map = read_class_map(
                style.mask_source, self.label_space, self.max_pixels, self.conventions
            )
        except UnreadableImageError:
            return None
        return describe_label_map(label_map.classes, self.region_labels)
