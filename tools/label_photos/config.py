"""Settings of the labelling of photos."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from spadepis.configuration import Configuration, LocalPath
from spadepis.labels import COCO_STUFF


class LabelPhotosConfig(Configuration):
    """Write label maps of COCO-Stuff for photos, as MOSAIC sees them, to train on."""

    program: ClassVar[str | None] = "python -m tools.label_photos"

    photos: Path
    """Folder of photos: JPEG, PNG or WebP. PNG files in --output are no photos."""
    output: LocalPath
    """Folder of the label maps; with --pairs PHOTOS:OUTPUT they are trained on."""
    judge_weights: Path
    """tflite file of MOSAIC."""
    held_out: tuple[Path, ...] = ()
    """Folders of photos that models are measured on; photos that look like them are left out."""
    object_weights: Path | None = None
    """tflite file of DeepLab, trained on PASCAL VOC. The objects that it finds are drawn over
    MOSAIC's classes. Default: MOSAIC's classes alone."""
    animal: str | None = None
    """Class of COCO-Stuff of all animals in the photos, whichever DeepLab takes them for. Photos
    in which they are small, or nearly all there is, are left out."""
    largest_unknown: float = Field(default=0.3, ge=0, le=1)
    """Photos are left out if a larger share of their pixels is of no known class."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads. Default: all cores."""

    @field_validator("animal")
    @classmethod
    def _is_a_class(cls, animal: str | None) -> str | None:
        if animal is not None and animal not in COCO_STUFF.names:
            raise ValueError(f"{animal} is no class of COCO-Stuff")
        return animal

    @model_validator(mode="after")
    def _animals_are_objects(self) -> Self:
        if self.animal is not None and self.object_weights is None:
            raise ValueError("--animal needs --object-weights")
        return self
