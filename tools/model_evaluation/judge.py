"""A segmentation network that finds classes in photos, to see what generated pictures show.

It is a judge: it enters no loss. Photos that it labelled are training data, though, and so the
judge and the generator share some mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassJaccardIndex

from spadepis.labels import LabelSpace
from tools.mosaic import Mosaic

# Pixels of other classes do not count.
IGNORED = -1

# What is judged: each class with its values in MOSAIC's output, which are ADE20K's raw values, and
# the names of COCO-Stuff classes that show it. Classes that people do not tell apart reliably, such
# as house and building, are one.
JUDGED_CLASSES: Final[Mapping[str, tuple[tuple[int, ...], tuple[str, ...]]]] = {
    "wall": (
        (1,),
        (
            "wall-brick",
            "wall-concrete",
            "wall-other",
            "wall-panel",
            "wall-stone",
            "wall-tile",
            "wall-wood",
        ),
    ),
    "building": ((2, 26), ("building-other", "house", "skyscraper", "roof")),
    "sky": ((3,), ("sky-other", "clouds", "fog")),
    "floor": ((4,), ("floor-marble", "floor-other", "floor-stone", "floor-tile", "floor-wood")),
    "tree": ((5,), ("tree", "branch", "leaves")),
    "ceiling": ((6,), ("ceiling-other", "ceiling-tile")),
    "road": ((7,), ("road",)),
    "bed": ((8,), ("bed", "blanket")),
    "window": ((9,), ("window", "window-blind", "window-other")),
    "grass": ((10, 30), ("grass", "playingfield")),
    "cabinet": ((11,), ("cabinet", "cupboard")),
    "pavement": ((12,), ("pavement",)),
    "person": ((13,), ("person",)),
    "earth": ((14,), ("dirt", "ground-other", "sand", "gravel", "mud")),
    "door": ((15,), ("door", "door-stuff")),
    "table": ((16,), ("table", "dining table")),
    "mountain": ((17,), ("mountain", "hill", "rock")),
    "plant": ((18,), ("plant-other", "bush", "flower", "potted plant")),
    "curtain": ((19,), ("curtain",)),
    "chair": ((20, 31), ("chair",)),
    "car": ((21,), ("car",)),
    "water": ((22, 27), ("water-other", "sea", "river")),
    "sofa": ((24,), ("couch",)),
    "shelf": ((25,), ("shelf",)),
    "mirror": ((28,), ("mirror", "mirror-stuff")),
    "rug": ((29,), ("rug", "carpet")),
}

# A class counts in the mean IoU where it covers so much of the label maps.
SMALLEST_SHARE = 0.002


class Judge:
    """MOSAIC, reduced to the judged classes.

    Args:
        path: the tflite file of the network.
    """

    def __init__(self, path: Path) -> None:
        self._network = Mosaic(path)
        self._class_of_value = _table(
            {value: number for number, (values, _) in _numbered() for value in values},
            self._network.channels,
        )

    def __call__(self, image: Tensor) -> Tensor:
        """Find the judged classes in a picture.

        Args:
            image: [3,H,W] in [0,1].

        Returns:
            Indices into ``JUDGED_CLASSES``, or -1 for any other class, int64 [H,W].
        """
        return self._class_of_value[self._network(image).argmax(dim=0)]


def judged_labels(labels: Tensor, space: LabelSpace) -> Tensor:
    """The judged class of each pixel of a label map, -1 where there is none.

    Args:
        labels: class indices [H,W].
        space: the label space: ADE20K, or another whose classes are judged as far as they have
            names of COCO-Stuff.
    """
    if space.generator_space == "ade20k":
        known = {value: number for number, (values, _) in _numbered() for value in values}
    else:
        known = {
            space.names.index(name): number
            for number, (_, names) in _numbered()
            for name in names
            if name in space.names
        }
    return _table(known, space.num_classes)[labels]


def mean_iou(
    found: list[Tensor], expected: list[Tensor], num_classes: int
) -> tuple[float, dict[int, float]]:
    """Mean intersection over union, and that of each class that counts.

    Classes count that cover at least 0.2 % of the known pixels in ``expected``. A pixel found to
    be of no class (-1) is a miss; one expected to be of none is left out.

    Args:
        found: class indices of each picture [H,W].
        expected: those of its label map.
        num_classes: number of classes.
    """
    # A class of its own stands for everything else.
    index = MulticlassJaccardIndex(num_classes + 1, average="none", ignore_index=IGNORED)
    pixels = torch.zeros(num_classes)
    for ours, theirs in zip(found, expected, strict=True):
        index.update(ours.where(ours != IGNORED, num_classes)[None], theirs[None])
        pixels += torch.bincount(theirs[theirs != IGNORED], minlength=num_classes)
    counted = pixels >= SMALLEST_SHARE * pixels.sum().clamp(min=1)
    by_class = index.compute()[:num_classes]
    named = {number: float(by_class[number]) for number in counted.nonzero().flatten().tolist()}
    return float(by_class[counted].mean()), named


def _numbered() -> enumerate[tuple[tuple[int, ...], tuple[str, ...]]]:
    return enumerate(JUDGED_CLASSES.values())


def _table(known: Mapping[int, int], size: int) -> Tensor:
    table = torch.full((size,), IGNORED)
    for index, number in known.items():
        table[index] = number
    return table
