"""Settings of the comparison of PhotoWCT with PCA-KD."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT
from spadepis.configuration import LocalPath
from spadepis.training.config import DataConfig


class ComparisonConfig(DataConfig):
    """Compare PhotoWCT with PCA-KD on photos of COCO-Stuff and ADE20K."""

    program: ClassVar[str | None] = "python -m tools.studies.pcakd"

    ade20k_pairs: tuple[str, ...] = ()
    """Folders of pairs as in pairs, with label maps of ADE20K."""
    styles: Path
    """Folder of style photos."""
    pcakd_weights: tuple[Path, ...] = ()
    """npz files of PCA-KD."""
    judge_weights: Path
    """tflite file of MOSAIC, which finds classes in pictures."""
    photowct_checkpoint: str = DEFAULT_PHOTOWCT_CHECKPOINT
    """The PhotoWCT. Default: the small model that comes with spadepis."""
    strengths: tuple[float, ...] = (1.0,)
    """Style strengths of PhotoWCT."""
    size: int = Field(default=256, ge=64, multiple_of=32)
    """Side of all pictures in pixels."""
    stride: int = Field(default=1, ge=1)
    """Every how many pairs one is measured."""
    perceptual_weights: Path | None = None
    """npz file of SqueezeNet 1.0's Caffe weights. Default: torchvision's, downloaded."""
    samples: LocalPath | None = None
    """Folder for pictures to look at: content, style, and what each method makes of them."""
