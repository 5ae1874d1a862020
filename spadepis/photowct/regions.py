"""Region maps: which pixels of content and style belong together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SMALLEST_AREA = 10
LARGEST_AREA_RATIO = 100


def region_areas(regions: Tensor) -> dict[int, int]:
    """The number of pixels of each label of an integer map [H,W]."""
    labels, areas = torch.unique(regions, return_counts=True)
    return dict(zip(labels.tolist(), areas.tolist(), strict=True))


def matched_labels(content: Mapping[int, int], style: Mapping[int, int]) -> list[int]:
    """Labels whose areas in content and style both exceed 10 pixels and are within 1:100.

    Negative labels stand for pixels of no known class and match nothing.
    """
    return [
        label
        for label, area in content.items()
        if label >= 0
        and area > SMALLEST_AREA
        and style.get(label, 0) > SMALLEST_AREA
        and area < LARGEST_AREA_RATIO * style[label]
        and style[label] < LARGEST_AREA_RATIO * area
    ]


def resize_regions(regions: Tensor, height: int, width: int) -> Tensor:
    """Shrink an integer map [H,W] to [height,width] by nearest neighbour at pixel centres.

    Borders fall where the published code has them, which uses Pillow as well.
    """
    image = Image.fromarray(regions.cpu().numpy().astype(np.int32))
    resized = np.array(image.resize((width, height), Image.Resampling.NEAREST))
    return torch.from_numpy(resized).to(regions.device)
