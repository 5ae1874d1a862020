"""Settings of the jobs that train models, and of what is measured on the same pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field, field_validator, model_validator

from spadepis.configuration import Configuration, ConfigurationError, LocalPath
from spadepis.dataset.inputs.grids import Grid
from spadepis.dataset.inputs.label_values import Scaling
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LabelSpaceSetting, find_label_space
from spadepis.spade.residual_block import Padding
from spadepis.spade.semantic_map import LabelPadding
from spadepis.spade.unlabelled_frame import Frame
from spadepis.training.cascade import COLOUR_CHANNELS
from spadepis.training.training_pairs import PairFolders


class DataConfig(Configuration):
    """The pictures that models are trained and evaluated on."""

    data: LocalPath = Path(".")
    """Folder that the following are relative to."""
    pairs: tuple[str, ...] = ()
    """Folders of pairs: PHOTOS:LABELS, a folder of photos (JPEG, PNG or WebP) and one of PNG label
    maps; or PHOTOS:LABELS:WEIGHT, with how often it is drawn. One pair in 40 is held out of
    training."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads. Default: all cores."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Seed of weights, crops and noise."""

    def folders(self, sources: Sequence[str]) -> list[PairFolders]:
        """Folders of pairs from PHOTOS:LABELS or PHOTOS:LABELS:WEIGHT.

        Raises:
            ConfigurationError: another form.
        """
        folders = []
        for source in sources:
            match source.split(":"):
                case [photos, labels]:
                    folders.append(PairFolders(self.data / photos, self.data / labels))
                case [photos, labels, weight] if _is_positive(weight):
                    where = self.data / photos, self.data / labels
                    folders.append(PairFolders(*where, float(weight)))
                case _:
                    raise ConfigurationError(
                        f"{source} is not PHOTOS:LABELS or PHOTOS:LABELS:WEIGHT"
                    )
        return folders


class TrainingConfig(DataConfig):
    """What the training of either model needs."""

    output: LocalPath
    """Folder of weights, state and sample sheets; a run that was stopped is resumed from there."""
    steps: int = Field(default=6000, ge=1)
    """Steps of training in all."""
    batch_size: int = Field(default=8, ge=2)
    """Crops in a step."""
    crop: int = Field(default=128, ge=32, multiple_of=32)
    """Side of the crops in pixels."""
    device: str = "cpu"
    """PyTorch device to train on."""
    bfloat16: bool = True
    """Compute in bfloat16 where that is safe."""

    # Settings that are read from the state when a run is resumed, or that would mix two runs.
    kept: ClassVar[tuple[str, ...]] = ("seed", "learning_rate", "initial_checkpoint")

    @property
    def kept_settings(self) -> dict[str, str]:
        """The settings that must be the same when a run is resumed, as text by name."""
        return {name: str(getattr(self, name)) for name in self.kept}

    @field_validator("device")
    @classmethod
    def _is_there(cls, device: str) -> str:
        try:
            torch.zeros(1, device=device).item()
        # Which of these it is depends on the device.
        except (RuntimeError, AssertionError, ImportError) as error:
            reason = str(error).partition("\n")[0].partition(". ")[0]
            raise ValueError(f"PyTorch cannot use it here ({reason})") from error
        return device


# So many keep a GPU busy.
MOST_READERS = 16

Width = Annotated[int, Field(ge=COLOUR_CHANNELS)]


class TrainPhotoWCTConfig(TrainingConfig):
    """Settings of jobs/train_photowct.py."""

    kept: ClassVar[tuple[str, ...]] = (*TrainingConfig.kept, "widths")

    photos: tuple[Path, ...] = ()
    """Folders of photos (JPEG, PNG or WebP) without label maps, relative to --data."""
    widths: tuple[Width, Width, Width, Width] = (32, 48, 64, 128)
    """Channels of levels 1 to 4; 64, 128, 256 and 512 in the published network."""
    initial_checkpoint: str | None = None
    """Checkpoint to start from, which this job wrote at the same widths; a path or URI. Then only
    the decoders are trained. Default: random weights."""
    learning_rate: float = Field(default=8e-4, gt=0)
    """Learning rate of Adam at the start."""
    perceptual_weights: Path | None = None
    """npz file of SqueezeNet 1.0's Caffe weights. Default: torchvision's, downloaded."""


class TrainSpadeConfig(TrainingConfig):
    """Settings of jobs/train_spade.py."""

    kept: ClassVar[tuple[str, ...]] = (
        *TrainingConfig.kept,
        "label_space",
        "base_width",
        "hidden_width",
        "discriminator_width",
        "padding",
        "noise",
        "frame",
        "label_padding",
    )

    label_space: LabelSpaceSetting = "coco-stuff"
    """What the values of the label maps mean, after the labels.json beside them: the name of a
    label space, such as coco-stuff, ade20k or cityscapes, or the YAML file of one of your own."""
    held_out: tuple[str, ...] = ()
    """Folders of pairs, as in --pairs, that are never trained on, nor are pairs of the same name in
    other folders. They are shown on the sample sheets."""
    label_grid: Grid | None = None
    """Whether label maps lie on their photos as stored or as turned for display by EXIF. Default:
    that which their sizes allow or, where both are possible, that of the others in the folder."""
    label_scaling: Scaling | None = None
    """How the label values of files with fewer than 8 bits are meant: raw numbers, or scaled to
    the full range by a program. Default: the reading that fits the label space and the folder."""
    pack: int | None = Field(default=None, ge=1)
    """Instead of training, write the data and the weights of the discriminator's features into one
    file of at most so many megabytes, OUTPUT/pack.zip. --data takes it in place of a folder."""
    average: tuple[str, ...] = ()
    """Instead of training, average the weights of these checkpoints of one run, as they are written
    every 1000 steps, into OUTPUT/spade.safetensors."""
    initial_checkpoint: str | None = None
    """Checkpoint to start from, of the same widths; a path or URI. Default: random weights."""
    base_width: int = Field(default=16, ge=1)
    """Channels of the last feature map; 64 in the published networks."""
    hidden_width: int = Field(default=32, ge=1)
    """Channels inside each SPADE; 128 in the published networks."""
    discriminator_width: int = Field(default=64, ge=1)
    """Channels of the discriminator's pyramid."""
    padding: Padding = "reflect"
    """Padding of the convolutions of features: reflect, or zeros as in the published networks."""
    noise: bool = True
    """Add noise in every block, so that one label map has many contents."""
    frame: Frame = "filled"
    """What is made of unlabelled pixels at the border of a label map: filled with the classes
    beside them, or kept unlabelled as in the published networks."""
    label_padding: LabelPadding = "replicate"
    """Padding of the convolutions of label maps: replicate their border, or zeros as in the
    published networks, which show where the border is."""
    learning_rate: float = Field(default=4e-4, gt=0)
    """Learning rate of Adam at the start, for both networks."""
    warm_up_steps: int = Field(default=60, ge=0)
    """First steps in which only the discriminator is trained. With --initial-checkpoint take some
    hundreds: a discriminator that knows nothing yet makes a trained generator worse."""
    readers: int | None = Field(default=None, ge=0)
    """Processes that read and crop pictures ahead. Default: none on a CPU, which is busy with
    training; for a GPU one for each core, but at most 16."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if self.pack is not None and self.average:
            raise ValueError("--pack and --average are two jobs: give one of them")
        return self

    @property
    def space(self) -> LabelSpace:
        """The label space of that name or file."""
        return find_label_space(self.label_space)

    @property
    def reading_processes(self) -> int:
        """How many processes read pictures."""
        if self.readers is not None:
            return self.readers
        return 0 if self.device == "cpu" else min(len(os.sched_getaffinity(0)), MOST_READERS)


def _is_positive(number: str) -> bool:
    try:
        return 0 < float(number) < math.inf
    except ValueError:
        return False
