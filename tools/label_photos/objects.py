"""Objects in photos, as DeepLab sees them, over what MOSAIC sees."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.labels import COCO_STUFF
from tools.deeplab import CLASSES

UNKNOWN: Final = 255
# The class of COCO-Stuff of those of PASCAL VOC that are called otherwise.
NAMES: Final[Mapping[str, str]] = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "tv monitor": "tv",
}
# Dining tables are left to MOSAIC, since DeepLab counts what stands on them as table.
NO_OBJECTS: Final = ("background", "dining table")
ANIMALS: Final = ("bird", "cat", "cow", "dog", "horse", "sheep")
# Classes of COCO-Stuff that both networks know.
KNOWN_TO_BOTH: Final = ("car", "chair", "couch", "person")

# Above the one probability a pixel is of an object; above the other it may be.
LEAST_PROBABILITY, LEAST_DOUBT = 0.6, 0.25


def draw_objects(
    labels: NDArray[np.uint8], probabilities: Tensor, animal: str | None
) -> NDArray[np.uint8]:
    """Raw values of COCO-Stuff [H,W] with objects drawn over those of MOSAIC.

    Where there may be an object and MOSAIC does not see one, the value is that of unknown.

    Args:
        labels: MOSAIC's, [H,W].
        probabilities: DeepLab's, [21,H,W].
        animal: class of COCO-Stuff that all animals are called. MOSAIC takes animals for persons,
            so that persons are left to DeepLab, too.
    """
    drawn = labels.copy()
    if animal is not None:
        probabilities = _as_one(probabilities)
        drawn[labels == _raw_value("person")] = UNKNOWN
    objects = [index for index, name in enumerate(CLASSES) if name not in NO_OBJECTS]
    most, which = probabilities[objects].max(dim=0)
    certain = (most > LEAST_PROBABILITY).numpy()
    possible = (probabilities[objects].sum(dim=0) > LEAST_DOUBT).numpy()
    seen_by_mosaic = np.isin(drawn, [_raw_value(name) for name in KNOWN_TO_BOTH])
    drawn[possible & ~seen_by_mosaic] = UNKNOWN
    values = np.array([_value_of_object(CLASSES[index], animal) for index in objects], np.uint8)
    drawn[certain] = values[which.numpy()][certain]
    return drawn


def share_of(labels: NDArray[np.uint8], name: str) -> float:
    """The share of the pixels of a label map that are of a class of COCO-Stuff."""
    return float((labels == _raw_value(name)).mean())


def _as_one(probabilities: Tensor) -> Tensor:
    """Probabilities in which that of any animal is that of the first."""
    first, *others = (CLASSES.index(name) for name in ANIMALS)
    together = probabilities.clone()
    together[first] += torch.sum(probabilities[others], dim=0)
    together[others] = 0
    return together


def _value_of_object(name: str, animal: str | None) -> int:
    return _raw_value(animal if animal and name in ANIMALS else NAMES.get(name, name))


@cache
def _raw_value(name: str) -> int:
    return int(COCO_STUFF.encode(np.array([COCO_STUFF.names.index(name)]))[0])
