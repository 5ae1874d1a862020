"""The small models that come with spadepis; ``models/README.md`` says how they were trained."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

_FOLDER = files("spadepis") / "checkpoints" / "models"

DEFAULT_SPADE_CHECKPOINT: Final[str] = str(_FOLDER / "spade_coco_stuff.safetensors")
"""Path of the weights of a SPADE generator for COCO-Stuff."""

DEFAULT_PHOTOWCT_CHECKPOINT: Final[str] = str(_FOLDER / "photowct.safetensors")
"""Path of the weights of PhotoWCT."""

MODEL_CARD: Final[str] = str(_FOLDER / "README.md")
"""Path of the page that says what these models are for, and how they were trained."""

REPLACED_DEFAULTS: Final[Mapping[str, str]] = {
    "01cdb1d60c1ba37e8411ec0e627e78f3e7df5852fc3c9f0ffa1714af1bceaedd": (
        "spadepis/models/spade_coco_stuff.safetensors of spadepis 0.1.0"
    ),
    "6894ff8efd62c30c264248023e2ce7bbc936179f6868e215b6daeb14a54cbf20": (
        "spadepis/models/photowct.safetensors of spadepis 0.1.0"
    ),
}
"""Where to find former default weights, by their SHA-256."""


@cache
def shipped_weights() -> frozenset[str]:
    """Hexadecimal SHA-256 of the files of weights that come with spadepis."""
    paths = (DEFAULT_SPADE_CHECKPOINT, DEFAULT_PHOTOWCT_CHECKPOINT)
    return frozenset(hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths)
