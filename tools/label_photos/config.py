"""Settings of the labelling of photos."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from spadepis.configuration import Configuration
from spadepis.labels import COCO_STUFF


class LabelPhotosConfig(Configuration):
    """Write label maps of COCO-Stuff for photos, as MOSAIC sees them, to train on."""

    program: ClassVar[str | None] = "python -m tools.label_photos"

    photos: Path
    """Folder of JPEG photos."""
    output: Path
    """Folder of the label maps; with --pairs PHOTOS:OUTPUT they are trained on."""
    judge_weights: Path
    """tflite file of MOSAIC."""
    held_out: tuple[Path, ...] = ()
    """Folders of JPEG photos that models are measured on; photos that look like them are left
    out."""
    subject: str | None = None
    """Class of COCO-Stuff that each photo shows in the middle and MOSAIC does not know, such as
    cat. Photos without such a region are left out."""
    largest_unknown: float = Field(default=0.3, ge=0, le=1)
    """Photos are left out if a larger share of their pixels is of no known class."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads. Default: all cores."""

    @field_validator("subject")
    @classmethod
    def _is_a_class(cls, subject: str | None) -> str | None:
        if subject is not None and subject not in COCO_STUFF.names:
            raise ValueError(f"{subject} is no class of COCO-Stuff")
        return subject
