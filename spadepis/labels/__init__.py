"""Label spaces: published ones, those of YAML files, and which of their classes are related."""

from spadepis.labels.published import (
    ADE20K,
    CITYSCAPES,
    COCO_STUFF,
    LABEL_SPACES,
    LabelSpace,
    instance_edges,
    pascal_colours,
)

__all__ = [
    "ADE20K",
    "CITYSCAPES",
    "COCO_STUFF",
    "LABEL_SPACES",
    "LabelSpace",
    "instance_edges",
    "pascal_colours",
]
