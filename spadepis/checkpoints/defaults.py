"""The small models that come with spadepis; ``models/README.md`` says how they were trained."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from spadepis.labels import COCO_STUFF, LABEL_SPACES

__all__ = ["DEFAULT_PHOTOWCT_CHECKPOINT", "DEFAULT_SPADE_CHECKPOINTS"]

_FOLDER = files("spadepis") / "checkpoints" / "models"

DEFAULT_SPADE_CHECKPOINTS: Final[Mapping[str, str]] = {
    name: str(_FOLDER / "spade_coco_stuff.safetensors")
    for name, space in LABEL_SPACES.items()
    if space.generator_space == COCO_STUFF.name
}
"""Paths of the weights of SPADE generators, by name of the label space."""

DEFAULT_PHOTOWCT_CHECKPOINT: Final[str] = str(_FOLDER / "photowct.safetensors")
"""Path of the weights of PhotoWCT."""
