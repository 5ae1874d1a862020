"""The published checkpoints in a folder that is laid out as they were released."""

from collections.abc import Mapping
from typing import Final

from spadepis.labels import ADE20K, CITYSCAPES, COCO_STUFF

RELEASED_SPADE: Final[Mapping[str, str]] = {
    COCO_STUFF.name: "coco_pretrained/latest_net_G.pth",
    ADE20K.name: "ade20k_pretrained/latest_net_G.pth",
    CITYSCAPES.name: "cityscapes_pretrained/latest_net_G.pth",
}
"""Files of the SPADE generators, by name of the label space."""

RELEASED_PHOTOWCT: Final[str] = "photo_wct.pth"
"""File of PhotoWCT."""
