"""Describing style photos, so that scenes get the styles most like them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pyarrow as pa

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_classes
from spadepis.dataset.inputs.photos import read_photo
from spadepis.labels import LabelSpace
from spadepis.matching.descriptors import LEVEL, Descriptor, describe_label_map, describe_photo
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import Encoder
from spadepis.pipeline.stages.declarations import Declaration

SCHEMA = pa.schema([("id", pa.string()), ("descriptor", pa.list_(pa.float32()))])


class DescribeStyles:
    """Describe style photos by their label maps, or by their features.

    Args:
        label_space: label space of the label maps.
        region_labels: the region that each class belongs to; see ``labels.related_classes``.
        checkpoint: path or URI of PhotoWCT's weights; None describes by label maps.
        max_pixels: files with more are refused.
        conventions: how label maps are read where a file leaves it open.
    """

    declaration: ClassVar = Declaration("describe styles")

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

    def __call__(self, batch: pa.Table) -> pa.Table:
        """From columns ``id``, ``source`` and ``mask_source`` to rows of ``SCHEMA``.

        Styles that cannot be read, or have no source, have no descriptor.
        """
        rows = batch.to_pylist()
        found = [self._describe(row["source"], row["mask_source"]) for row in rows]
        return pa.table([batch["id"], pa.array(found, SCHEMA.field("descriptor").type)], SCHEMA)

    def _describe(self, source: str | None, mask_source: str | None) -> Descriptor | None:
        if source is None:
            return None
        try:
            if self.encoder is not None:
                return describe_photo(read_photo(source, self.max_pixels), self.encoder)
            assert mask_source is not None
            label_map = read_classes(
                mask_source, self.label_space, self.max_pixels, self.conventions
            )
        except UnreadableImageError:
            return None
        return describe_label_map(label_map, self.region_labels)
