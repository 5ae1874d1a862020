"""Settings of the study of augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spadepis.configuration import Configuration, ConfigurationError, LocalPath
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LabelSpaceSetting, find_label_space


class Recipe(BaseModel):
    """What one network is trained on, beside the real pairs.

    Attributes:
        images: image set made by jobs/stylize.py from the training photos and their label maps.
        share: probability that a crop is of a generated pair.
        drop: share of the generated pairs that are left out, the worst by the metric ``worst_by``.
        worst_by: a quality metric of the image set.
        jitter: whether brightness, contrast, saturation and hue of every crop are changed.
        length: number of training steps, relative to those of the study.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: str | None = None
    share: float = Field(default=0.0, ge=0, lt=1)
    drop: float = Field(default=0.0, ge=0, lt=1)
    worst_by: Literal["structure", "boundary_disagreement", "clipped"] = "structure"
    jitter: bool = False
    length: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _images_and_share(self) -> Self:
        if (self.images is None) != (self.share == 0):
            raise ValueError("a recipe has both images and share, or neither")
        return self


class AugmentationStudyConfig(Configuration):
    """Train segmentation networks by recipes with and without stylized pairs, and test them."""

    program: ClassVar[str | None] = "python -m tools.studies.augmentation"

    photos: Path
    """Folder of photos: JPEG, PNG or WebP."""
    labels: Path
    """Folder of their PNG label maps, which have the same names."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """Label space whose last class is unknown: coco-stuff, or the YAML file of your own."""
    training: str
    """Ids of the pairs to train on: globs, separated by commas."""
    held_out: str
    """Ids of test pairs that look like those of training."""
    held_out_validation: str
    """Ids of such pairs for the choice of recipes and for the training curves."""
    changed: str
    """Ids of test pairs that really look different, for example photos at night."""
    changed_validation: str
    """Ids of such pairs for the choice of recipes and for the training curves."""
    recipes: Mapping[str, Recipe]
    """Recipes by name; a mapping in the YAML file."""
    baselines: tuple[str, ...]
    """The recipes that the finalists are compared with."""
    finalists: tuple[str, ...]
    """The recipes that are trained with all seeds; the others are trained with one."""
    styled: str
    """Image set made from the test photos, with styles that no recipe has."""
    night_styles: str = "*night*"
    """Ids of the styles of --styled that show the night: globs, separated by commas."""
    snow_styles: str = "*snow*"
    """Ids of the styles of --styled that show snow."""
    ground: str = "road,pavement"
    """Classes that snow covers, separated by commas."""
    plants: str = "tree"
    """Classes that snow covers partly, separated by commas."""
    seeds: int = Field(default=3, ge=2)
    """Number of networks to train by the recipe of each finalist."""
    steps: int = Field(default=1000, ge=1)
    """Training steps of each network."""
    batch_size: int = Field(default=8, ge=2)
    """Crops in a step."""
    crop: int = Field(default=128, ge=32)
    """Side of the square crops in pixels."""
    checks: int = Field(default=6, ge=1)
    """Number of points of each training curve."""
    validation_pictures: int = Field(default=24, ge=1)
    """Largest number of validation pictures of each look, evenly spaced by id."""
    test_pictures: int = Field(default=40, ge=1)
    """Largest number of test pictures of each look, evenly spaced by id."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of PyTorch."""
    output: LocalPath
    """Folder of results.jsonl and looks.png; a study that was stopped resumes there."""

    @model_validator(mode="after")
    def _compared_recipes_exist(self) -> Self:
        for name in (*self.baselines, *self.finalists):
            if name not in self.recipes:
                raise ValueError(f"there is no recipe {name}")
        return self

    @property
    def space(self) -> LabelSpace:
        """The label space of the setting ``label_space``."""
        return find_label_space(self.label_space)

    def trainings(self) -> Iterator[tuple[str, int]]:
        """The name of the recipe and the seed of each network, one seed after another."""
        for seed in range(self.seeds):
            for name in self.recipes:
                if seed == 0 or name in self.finalists:
                    yield name, seed

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
