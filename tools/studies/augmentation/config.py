"""Settings of the study of augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from spadepis.configuration import Configuration, ConfigurationError
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LabelSpaceSetting, find_label_space


class AugmentationStudyConfig(Configuration):
    """Train segmentation networks with and without stylized pairs, and test them."""

    program: ClassVar[str | None] = "python -m tools.studies.augmentation"

    photos: Path
    """Folder of JPEG photos."""
    labels: Path
    """Folder of their PNG label maps, which have the same names."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """Label space whose last class is unknown: coco-stuff, or the YAML file of your own."""
    training: str
    """Ids of the pairs to train on: globs, separated by commas."""
    held_out: str
    """Ids of test pairs that look like those of training."""
    changed: str
    """Ids of test pairs that really look different, for example photos at night."""
    generated: str
    """Image set made by jobs/stylize.py from the training photos and their label maps."""
    styled: str
    """Image set made from the held-out photos, with styles that --generated does not have."""
    night_styles: str = "*night*"
    """Ids of the styles of --styled that show the night: globs, separated by commas."""
    snow_styles: str = "*snow*"
    """Ids of the styles of --styled that show snow."""
    ground: str = "road,pavement"
    """Classes that snow covers, separated by commas."""
    plants: str = "tree"
    """Classes that snow covers partly, separated by commas."""
    seeds: int = Field(default=3, ge=2)
    """Number of networks to train in each way."""
    steps: int = Field(default=2000, ge=1)
    """Training steps of each network."""
    batch_size: int = Field(default=8, ge=2)
    """Crops in a step."""
    crop: int = Field(default=96, ge=32, multiple_of=16)
    """Side of the square crops in pixels."""
    test_pictures: int = Field(default=50, ge=1)
    """Largest number of pictures of each look, evenly spaced by id."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of PyTorch."""
    output: Path
    """Folder of results.jsonl and looks.png; a study that was stopped resumes there."""

    @property
    def space(self) -> LabelSpace:
        """The label space of the setting ``label_space``."""
        return find_label_space(self.label_space)

    def classes(self, names: str) -> Sequence[int]:
        """The indices of classes, whose names are separated by commas.

        Raises:
            ConfigurationError: the label space has no class of that name.
        """
        known = self.space.names
        wanted = split(names)
        for name in wanted:
            if name not in known:
                raise ConfigurationError(f"{self.space.name} has no class {name}")
        return [known.index(name) for name in wanted]


def split(text: str) -> list[str]:
    """The parts of a text that is separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
