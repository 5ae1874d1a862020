"""Settings of the study of augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from spadepis.configuration import Configuration, ConfigurationError
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LabelSpaceSetting, find_label_space


class AugmentationStudyConfig(Configuration):
    """Settings of tools/studies/augmentation."""

    photos: Path
    """Folder of JPEG photos."""
    labels: Path
    """Folder of their PNG label maps, with the same names."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """What the values of the label maps mean: coco-stuff, or the YAML file of a label space of
    your own. Its last class has to be the unknown one."""
    training: str
    """Ids of the training pairs: globs, separated by commas."""
    held_out: str
    """Ids of the test pairs that look like the training pairs."""
    changed: str
    """Ids of the test pairs that have another look in reality."""
    generated: str
    """Image set that jobs/stylize.py made from training photos and their label maps."""
    styled: str
    """Image set made from --held-out photos in the same way, with styles that --generated lacks."""
    night_styles: str = "*night*"
    """Ids of the styles of --styled that show the night: globs, separated by commas."""
    snow_styles: str = "*snow*"
    """Ids of the styles of --styled that show snow."""
    ground: str = "road,pavement"
    """Classes that snow covers, separated by commas."""
    plants: str = "tree"
    """Classes that snow covers in part, separated by commas."""
    seeds: int = Field(default=3, ge=2)
    """How many networks of each kind to train."""
    steps: int = Field(default=2000, ge=1)
    """Training steps of each network."""
    batch_size: int = Field(default=8, ge=2)
    """Crops in a step."""
    crop: int = Field(default=96, ge=32, multiple_of=16)
    """Side of the crops in pixels."""
    test_pictures: int = Field(default=50, ge=1)
    """Use at most this many pictures of each look, evenly spaced by id."""
    threads: int = Field(default=1, ge=1)
    """Threads of PyTorch on the CPU."""
    output: Path
    """Folder of results.jsonl and looks.png. A study that was stopped resumes from there."""

    @property
    def space(self) -> LabelSpace:
        """The label space of that name or file."""
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
    """The parts of a text that are separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
