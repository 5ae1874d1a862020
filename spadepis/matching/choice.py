"""Giving scenes the styles that are most like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spadepis.matching.description import (
    LEVEL,
    describe_label_map,
    describe_photo,
)
from spadepis.matching.style_index import StyleIndex
from spadepis.photowct import PhotoWCT
from spadepis.pipeline.scene import Scene, Style


@dataclass(frozen=True)
class Matching:
    """Chooses styles for scenes.

    Attributes:
        index: what is in the styles.
        styles: the same styles, in its order.
        diversity: see ``StyleIndex.choose``.
        region_labels: the region that each class of the label maps belongs to.
    """

    index: StyleIndex
    styles: Sequence[Style]
    diversity: float
    region_labels: Sequence[int]

    def choose(self, scene: Scene, network: PhotoWCT) -> None:
        """Fill in the styles of a scene that are still to be chosen."""
        if self.index.are_shares:
            assert scene.label_map is not None
            descriptor = describe_label_map(scene.label_map, self.region_labels)
        else:
            assert scene.content is not None
            descriptor = describe_photo(scene.content, network.encoder(LEVEL))
        by_id = dict(zip(self.index.ids, self.styles, strict=True))
        chosen = self.index.choose(descriptor, scene.choices, self.diversity, scene.passed_over)
        scene.styles = [by_id[id] for id in chosen]
        scene.choices = 0
