"""Label maps of contents and styles as region maps that can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.inputs.image_files import Extent
from spadepis.dataset.inputs.label_maps import read_class_map, resize_label_map
from spadepis.labels import LabelSpace


@dataclass(frozen=True)
class RegionGuidance:
    """Every region of a content takes the style of the same region of the style photo.

    Attributes:
        label_space: label space of all label maps.
        region_labels: the region that each class belongs to, by class index.
        fallback: regions that the style lacks take its global statistics, instead of none.
        conventions: how label maps of styles are read where a file leaves it open.
    """

    label_space: LabelSpace
    region_labels: Sequence[int]
    fallback: bool
    conventions: LabelConventions = UNKNOWN_CONVENTIONS

    def regions(self, label_map: NDArray[np.uint8]) -> Tensor:
        """The region map int64 [H,W] of class indices [H,W]."""
        return torch.from_numpy(np.array(self.region_labels, np.int64)[label_map])

    def read_regions(
        self, source: str, photo: Extent, height: int, width: int, max_pixels: int
    ) -> Tensor:
        """Read the label map of a style photo, as region map int64 [height,width].

        It has to match the extent of the photo as stored.

        Raises:
            UnreadableImageError: with the file and the reason.
        """
        label_map = read_class_map(source, self.label_space, max_pixels, self.conventions, photo)
        return self.regions(resize_label_map(label_map.classes, height, width))
