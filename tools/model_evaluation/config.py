"""Settings of the measurement of models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spadepis.configuration import LocalPath
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LabelSpaceSetting, find_label_space
from spadepis.training.config import DataConfig

Side = Annotated[int, Field(ge=64, multiple_of=32)]


class EvaluationConfig(DataConfig):
    """Measure a SPADE generator and a PhotoWCT on held-out pictures."""

    program: ClassVar[str | None] = "python -m tools.model_evaluation"

    label_space: LabelSpaceSetting = "coco-stuff"
    """What the values of the label maps mean, after the labels.json beside them: the name of a
    label space, such as coco-stuff, ade20k or cityscapes, or the YAML file of one of your own."""
    perceptual_weights: Path | None = None
    """npz file of SqueezeNet 1.0's Caffe weights. Default: torchvision's, downloaded."""
    pseudo_pairs: tuple[str, ...] = ()
    """Folders of pairs whose label maps were predicted by a network; of these only the pairs held
    out of training are used."""
    photos: tuple[Path, ...] = ()
    """Folders of photos; those held out of training are used."""
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
    samples: LocalPath | None = None
    """Folder for pictures to look at."""

    @property
    def space(self) -> LabelSpace:
        """The label space of that name or file."""
        return find_label_space(self.label_space)
