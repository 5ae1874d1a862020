"""Choosing the styles that are most like a scene."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spadepis.matching.descriptors import LEVEL, describe_label_map, describe_photo
from spadepis.matching.style_index import StyleIndex
from spadepis.photowct import PhotoWCT


@dataclass(frozen=True)
class Matching:
    """Chooses styles for scenes: by their label maps, or else by their features.

    Attributes:
        index: the styles by what they show.
        diversity: see ``StyleIndex.choose``.
        region_labels: the region that each class of the label maps belongs to.
    """

    index: StyleIndex
    diversity: float
    region_labels: Sequence[int]

    def choose(
        self,
        count: int,
        label_map: NDArray[np.uint8] | None,
        content: NDArray[np.uint8] | None,
        network: PhotoWCT,
        without: Collection[str] = (),
    ) -> list[str]:
        """Ids of the styles most like a scene, the best first.

        Args:
            count: how many; fewer if there are fewer styles.
            label_map: class indices of the scene [H,W]; needed if the index holds class shares.
            content: photo of the scene, uint8 [H,W,3]; needed if it holds deep features.
            network: describes the content.
            without: ids of styles that must not be chosen.
        """
        if self.index.are_shares:
            assert label_map is not None
            descriptor = describe_label_map(label_map, self.region_labels)
        else:
            assert content is not None
            descriptor = describe_photo(content, network.encoder(LEVEL))
        return self.index.choose(descriptor, count, self.diversity, without)
