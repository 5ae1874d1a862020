"""Settings of the jobs that train and evaluate the small models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from spadepis.configuration import Configuration
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LabelSpaceSetting, find_label_space
from spadepis.training.cascade import COLOUR_CHANNELS
from spadepis.training.photos import Pair, Split, read_pairs


class DataConfig(Configuration):
    """The pictures that models are trained and evaluated on."""

    data: Path = Path(".")
    """Folder that the following are relative to."""
    pairs: tuple[str, ...] = ()
    """Folders of pairs: PHOTOS:LABELS, a folder of JPEG photos and one of PNG label maps."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """What the values of the label maps mean, after the labels.json beside them: coco-stuff,
    ade20k, cityscapes, or the YAML file of a label space of your own."""
    perceptual_weights: Path | None = None
    """npz file of SqueezeNet 1.0's Caffe weights. Default: torchvision's, downloaded."""
    threads: int | None = Field(default=None, ge=1)
    """Of the CPU. Default: all."""
    seed: int = 0
    """Of weights and crops."""

    @property
    def space(self) -> LabelSpace:
        """The label space of that name or file."""
        return find_label_space(self.label_space)

    @property
    def sources(self) -> Sequence[tuple[Path, Path]]:
        """Folders of photos and of label maps."""
        folders = [source.split(":") for source in self.pairs]
        return [(self.data / photos, self.data / labels) for photos, labels in folders]

    def read_pairs(self) -> Split[Pair]:
        """All pairs, in memory."""
        return read_pairs(self.sources, self.space)


class TrainingConfig(DataConfig):
    """What the training of either model needs."""

    output: Path
    """Folder of weights, state and sample sheet; a run that was stopped goes on where it was."""
    steps: int = Field(default=6000, ge=1)
    """Of training in all."""
    batch_size: int = Field(default=8, ge=2)
    """Crops in a step."""
    crop: int = Field(default=128, ge=32, multiple_of=32)
    """Side of the crops in pixels."""
    device: str = "cpu"
    """Of PyTorch."""
    bfloat16: bool = True
    """Compute in bfloat16 where that is safe."""


Width = Annotated[int, Field(ge=COLOUR_CHANNELS)]


class TrainPhotoWCTConfig(TrainingConfig):
    """Settings of jobs/train_photowct.py."""

    photos: tuple[Path, ...] = ()
    """Folders of JPEG photos without label maps, relative to --data."""
    widths: tuple[Width, Width, Width, Width] = (32, 48, 64, 128)
    """Channels of levels 1 to 4; 64, 128, 256 and 512 in the published network."""
    learning_rate: float = Field(default=8e-4, gt=0)
    """Of Adam at the start."""


class TrainSpadeConfig(TrainingConfig):
    """Settings of jobs/train_spade.py."""

    base_width: int = Field(default=16, ge=1)
    """Channels of the last feature map; 64 in the published networks."""
    hidden_width: int = Field(default=32, ge=1)
    """Channels inside each SPADE; 128 in the published networks."""
    discriminator_width: int = Field(default=32, ge=1)
    """Channels of the discriminator's first layer; 64 in the paper."""
    fine_tuning_steps: int = Field(default=0, ge=0)
    """The last so many steps see crops twice as large, a quarter as many."""
    generator_learning_rate: float = Field(default=6e-4, gt=0)
    """Of Adam at the start."""
    discriminator_learning_rate: float = Field(default=2e-4, gt=0)
    """Of Adam at the start."""


class EvaluationConfig(DataConfig):
    """Settings of jobs/evaluate_models.py."""

    photos: tuple[Path, ...] = ()
    """Folders of JPEG photos; those held out from training are used."""
    styles: Path
    """Folder of style photos."""
    spade_checkpoint: str | None = None
    """Default: the small model that comes with spadepis."""
    photowct_checkpoint: str | None = None
    """Default: the small model that comes with spadepis."""
    size: int = Field(default=256, ge=32, multiple_of=32)
    """Side of all pictures in pixels."""
    segmentation_steps: int = Field(default=5000, ge=1)
    """Of the training of the segmentation network."""
    segmentation_weights: Path | None = None
    """File that keeps the segmentation network, trained when the file is absent."""
    samples: Path | None = None
    """Folder for pictures to look at."""
