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
    """Folder of their PNG label maps, of the same names."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """What the values of the label maps mean, the last class being unknown: coco-stuff, or the
    YAML file of a label space of your own."""
    training: str
    """Ids of the pairs that are trained on: globs with commas between them."""
    held_out: str
    """Ids of pairs of the look that was trained on, for tests."""
    changed: str
    """Ids of pairs that really have another look, for tests."""
    generated: str
    """Image set that jobs/stylize.py made of training photos and their label maps."""
    styled: str
    """Image set that it made of held-out photos, with styles that --generated does not have."""
    night_styles: str = "*night*"
    """Ids of the styles of --styled that show the night: globs with commas between them."""
    snow_styles: str = "*snow*"
    """Ids of the styles of --styled that show snow."""
    ground: str = "road,pavement"
    """Classes that snow covers, with commas between them."""
    plants: str = "tree"
    """Classes that snow covers in part."""
    seeds: int = Field(default=3, ge=2)
    """Networks of each kind that are trained."""
    steps: int = Field(default=2000, ge=1)
    """Of the training of each network."""
    batch_size: int = Field(default=8, ge=2)
    """Crops in a step."""
    crop: int = Field(default=96, ge=32, multiple_of=16)
    """Side of the crops in pixels."""
    test_pictures: int = Field(default=50, ge=1)
    """Pictures of each look at most, evenly spaced by id."""
    threads: int = Field(default=1, ge=1)
    """Of the CPU."""
    output: Path
    """Folder of results.jsonl and looks.png; a study that was stopped goes on where it was."""

    @property
    def space(self) -> LabelSpace:
        """The label space of that name or file."""
        return find_label_space(self.label_space)

    def classes(self, names: str) -> Sequence[int]:
        """The indices of classes named with commas between them.

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
    """What stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
