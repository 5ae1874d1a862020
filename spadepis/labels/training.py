"""Training indices: the classes that a segmentation network learns, numbered without gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spadepis.labels.label_space import UNKNOWN_CLASSES, LabelSpace
from spadepis.labels.published import CITYSCAPES, CITYSCAPES_TRAIN_IDS, LABEL_SPACES

# What most training code leaves out of its loss.
IGNORED = 255
# PyTorch's default, which no 8-bit label map holds.
NOTHING_IGNORED = -100


@dataclass(frozen=True)
class TrainingLabels:
    """The classes of a label space for training.

    Classes that do not say what is under them, such as "unknown", are ignored. Of Cityscapes, the
    classes are the 19 train ids.

    Attributes:
        label_space: name of the label space.
        names: all names of classes in it, the ignored ones included.
        raw_values: values by class in label maps; None for a class without one.
        classes: names by training index.
    """

    label_space: str
    names: Sequence[str]
    raw_values: Sequence[int | None]
    classes: Sequence[str]

    @classmethod
    def of(cls, space: LabelSpace) -> Self:
        """The training labels of a label space."""
        classes = [name for name in space.names if name not in UNKNOWN_CLASSES]
        if space.generator_space == CITYSCAPES.name:
            train_ids = zip(CITYSCAPES_TRAIN_IDS.raw_values, CITYSCAPES.names, strict=True)
            known = ((value, name) for value, name in train_ids if value not in (None, IGNORED))
            classes = [name for _, name in sorted(known)]
        return cls(space.name, space.names, space.raw_values, classes)

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Self | None:
        """The training labels of an image set; None if its manifest does not tell.

        Manifests of version 0.1 tell the name of a label space, but no classes of one of your own.
        """
        if described := manifest.get("label_space"):
            classes = described["classes"]
            return cls(
                described["name"],
                [each["name"] for each in classes],
                [each["value"] for each in classes],
                described["training_classes"],
            )
        name = manifest.get("configuration", {}).get("label_space")
        return cls.of(LABEL_SPACES[name]) if name in LABEL_SPACES else None

    def to_manifest(self) -> dict[str, Any]:
        """What ``from_manifest`` reads as ``label_space``."""
        classes = [
            {"name": name, "value": value}
            for name, value in zip(self.names, self.raw_values, strict=True)
        ]
        return {
            "name": self.label_space,
            "classes": classes,
            "training_classes": list(self.classes),
            "ignore_index": self.ignore_index,
        }

    @property
    def ignore_index(self) -> int:
        """The training index of ignored pixels: 255, or -100 where all 256 values are classes."""
        return IGNORED if len(self.classes) <= IGNORED else NOTHING_IGNORED

    @property
    def names_by_value(self) -> dict[int, str]:
        """Names of classes by value in label maps."""
        named = zip(self.raw_values, self.names, strict=True)
        return {value: name for value, name in named if value is not None}

    @property
    def indices_by_value(self) -> dict[int, int]:
        """Training indices by value in label maps; those of ignored classes are 255."""
        indices = {name: index for index, name in enumerate(self.classes)}
        return {value: indices.get(name, IGNORED) for value, name in self.names_by_value.items()}

    def encode(self, label_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn the raw values of a label map, uint8 [H,W], into training indices, uint8 [H,W]."""
        table = np.full(256, IGNORED, np.uint8)
        for value, index in self.indices_by_value.items():
            table[value] = index
        return table.take(label_map)
