"""The small models that come with spadepis; ``models/README.md`` says how they were trained."""

from importlib.resources import files
from typing import Final

__all__ = ["DEFAULT_PHOTOWCT_CHECKPOINT", "DEFAULT_SPADE_CHECKPOINT"]

_FOLDER = files("spadepis") / "checkpoints" / "models"

DEFAULT_SPADE_CHECKPOINT: Final[str] = str(_FOLDER / "spade_coco_stuff.safetensors")
"""Path of the weights of a SPADE generator for COCO-Stuff."""

DEFAULT_PHOTOWCT_CHECKPOINT: Final[str] = str(_FOLDER / "photowct.safetensors")
"""Path of the weights of PhotoWCT."""
