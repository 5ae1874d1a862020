"""Pairs of photo and label map, made up for tests."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_pair(photos: Path, labels: Path, name: str, label_map: NDArray[np.uint8]) -> None:
    """A photo whose red is 100 where the label is 0, and 200 elsewhere."""
    photo = np.zeros((*label_map.shape, 3), np.uint8)
    photo[..., 0] = np.where(label_map, 200, 100)
    Image.fromarray(photo).save(photos / f"{name}.jpg", quality=95)
    Image.fromarray(label_map).save(labels / f"{name}.png")
