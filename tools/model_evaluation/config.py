"""Settings of the measurement of models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spadepis.training.config import DataConfig

Side = Annotated[int, Field(ge=64, multiple_of=32)]


class EvaluationConfig(DataConfig):
    """Measure a SPADE generator and a PhotoWCT on held-out pictures."""

    program: ClassVar[str | None] = "python -m tools.model_evaluation"

    pseudo_pairs: tuple[str, ...] = ()
    """Folders of pairs whose label maps were predicted by a network; of these only the pairs held
    out of training are used."""
    photos: tuple[Path, ...] = ()
    """Folders of JPEG photos; those held out of training are used."""
    styles: Path
    """Folder of style photos."""
    judge_weights: Path | None = None
    """tflite file of MOSAIC, which finds classes in pictures. Default: no mean IoU."""
    spade_checkpoint: str | None = None
    """Default: the small model that comes with spadepis."""
    photowct_checkpoint: str | None = None
    """Default: the small model that comes with spadepis."""
    translate: bool = False
    """Translate the label maps to COCO-Stuff, which the checkpoint was trained for."""
    contents: int = Field(default=5, ge=2)
    """Contents of each label map, with the seeds from 0 on, which are measured together."""
    size: Side | Literal["source"] = 256
    """Side of the pictures in pixels, or source: the size of each label map."""
    samples: Path | None = None
    """Folder for pictures to look at."""
