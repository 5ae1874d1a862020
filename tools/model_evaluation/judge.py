"""A segmentation network that finds classes in photos, to see what generated pictures show.

It is a judge: it enters no loss and chooses no training data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor
from torchmetrics.classification import MulticlassJaccardIndex

from spadepis.labels import LabelSpace

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
    """MOSAIC (Wang et al., 2021) trained on ADE20K's 31 most frequent classes.

    Args:
        path: the tflite file without its last operator: uint8 RGB [1,S,S,3] to logits
            [1,S/4,S/4,32], channel k being the raw value k of ADE20K and 0 any other class.
    """

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(str(path), num_threads=torch.get_num_threads())
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._class_of_value = _table(
            {value: number for number, (values, _) in _numbered() for value in values},
            self._output["shape"][-1],
        )

    def __call__(self, image: Tensor) -> Tensor:
        """Find the judged classes in a picture.

        Args:
            image: [3,H,W] in [0,1].

        Returns:
            Indices into ``JUDGED_CLASSES``, or -1 for any other class, int64 [H,W].
        """
        size = tuple(self._input["shape"][1:3])
        resized = F.interpolate(image[None], size, mode="bilinear", antialias=True)
        pixels = (resized.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        self._interpreter.set_tensor(self._input["index"], pixels.contiguous().numpy())
        self._interpreter.invoke()
        quantized = self._interpreter.get_tensor(self._output["index"]).astype(np.float32)
        logits = torch.from_numpy(quantized).permute(0, 3, 1, 2)
        values = F.interpolate(logits, image.shape[1:], mode="bilinear").argmax(dim=1)[0]
        return self._class_of_value[values]


def judged_labels(labels: Tensor, space: LabelSpace) -> Tensor:
    """The judged class of each pixel of a label map, -1 where there is none.

    Args:
        labels: class indices of COCO-Stuff or ADE20K [H,W].
        space: the label space.
    """
    if space.name == "ade20k":
        known = {value: number for number, (values, _) in _numbered() for value in values}
    else:
        known = {
            space.names.index(name): number for number, (_, names) in _numbered() for name in names
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
