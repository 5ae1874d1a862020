"""Descriptors of what a scene or a style photo shows, by which similar ones are found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from spadepis.dataset.inputs.photos import resize_photo
from spadepis.photowct.network import Encoder

Descriptor: TypeAlias = NDArray[np.float32]

# Photos are compared at this size, whatever their shape.
SIDE = 128
# The level of PhotoWCT's deepest encoder.
LEVEL = 4


def describe_photo(photo: NDArray[np.uint8], encoder: Encoder) -> Descriptor:
    """Mean of the features of a photo uint8 [H,W,3], float32 [C].

    Args:
        photo: the photo, of any size.
        encoder: PhotoWCT's of level ``LEVEL``, on any device.
    """
    weight = next(encoder.parameters())
    small = torch.tensor(resize_photo(photo, SIDE, SIDE), device=weight.device)
    image = small.permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        features, _ = encoder(image.to(weight.dtype))
    descriptor: Descriptor = features[0].mean(dim=(1, 2)).float().cpu().numpy()
    return descriptor


def describe_label_map(label_map: NDArray[np.uint8], region_labels: Sequence[int]) -> Descriptor:
    """Share of each region of a label map of class indices [H,W], float32 [classes].

    Related classes count as one, unknown ones not at all; see ``spadepis.labels.related_classes``.
    """
    return class_shares(np.array(region_labels)[label_map], len(region_labels))


def class_shares(label_map: NDArray[np.integer[Any]], classes: int) -> Descriptor:
    """Share of each class of the pixels of a label map [H,W]; values below 0 are not counted.

    Returns:
        float32 [classes] with the sum 1, or 0 if all values are below 0.
    """
    known = label_map[label_map >= 0]
    counts = np.bincount(known, minlength=classes).astype(np.float32)
    shares: Descriptor = counts / max(1.0, counts.sum())
    return shares
