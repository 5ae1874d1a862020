"""Label spaces: published ones, those of YAML files, and which of their classes are related."""

from spadepis.labels.colours import pascal_colours
from spadepis.labels.edges import instance_edges
from spadepis.labels.label_space import LabelSpace, no_such_class
from spadepis.labels.published import (
    ADE20K,
    ADE20K_0_TO_149,
    CITYSCAPES,
    CITYSCAPES_TRAIN_IDS,
    COCO_STUFF,
    COCO_STUFF_1_TO_182,
    LABEL_SPACES,
)

__all__ = [
    "ADE20K",
    "ADE20K_0_TO_149",
    "CITYSCAPES",
    "CITYSCAPES_TRAIN_IDS",
    "COCO_STUFF",
    "COCO_STUFF_1_TO_182",
    "LABEL_SPACES",
    "LabelSpace",
    "instance_edges",
    "no_such_class",
    "pascal_colours",
]
