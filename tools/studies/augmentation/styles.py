"""Gather style photos and their label maps, in the label space of the photos to be stylized."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadepis.configuration import Configuration, ConfigurationError
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LabelSpaceSetting, find_label_space
from spadepis.training.runs import run_job


class StylesConfig(Configuration):
    """Gather style photos, and translate their label maps into another label space."""

    program: ClassVar[str | None] = "python -m tools.studies.augmentation.styles"

    photos: Path
    """Folder of JPEG photos."""
    labels: Path
    """Folder of their PNG label maps, which have the same names."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """Label space of these label maps."""
    names: tuple[str, ...]
    """The photos to take, names without suffix."""
    target_space: LabelSpaceSetting
    """Label space to translate to; its last class is unknown."""
    classes: Mapping[str, tuple[str, ...]]
    """The classes of --label-space that show each class of --target-space; a mapping in YAML."""
    output: Path
    """Folder in which images/ and labels/ are made."""


def gather_styles_job(config: StylesConfig) -> None:
    """Write the photos and their translated label maps.

    Raises:
        ConfigurationError: there is no photo, label map or class of a name.
    """
    space = find_label_space(config.label_space)
    table = translation(space, find_label_space(config.target_space), config.classes)
    for folder in ("images", "labels"):
        (config.output / folder).mkdir(parents=True, exist_ok=True)
    for name in config.names:
        photo, labels = config.photos / f"{name}.jpg", config.labels / f"{name}.png"
        if not (photo.exists() and labels.exists()):
            raise ConfigurationError(f"{photo} and {labels} are not both there")
        with Image.open(labels) as image:
            translated = table[space.decode(np.asarray(image))]
        shutil.copyfile(photo, config.output / "images" / photo.name)
        Image.fromarray(translated).save(config.output / "labels" / labels.name)


def translation(
    space: LabelSpace, target: LabelSpace, classes: Mapping[str, tuple[str, ...]]
) -> NDArray[np.uint8]:
    """The raw value in ``target`` of each class index of ``space``; unknown where there is none.

    Raises:
        ConfigurationError: a label space has no class of a name.
    """
    indices = np.full(space.num_classes, target.num_classes - 1)
    for name, shown_by in classes.items():
        for other in shown_by:
            indices[_index(space, other)] = _index(target, name)
    return target.encode(indices).astype(np.uint8)


def _index(space: LabelSpace, name: str) -> int:
    if name not in space.names:
        raise ConfigurationError(f"{space.name} has no class {name}")
    return space.names.index(name)


if __name__ == "__main__":
    sys.exit(run_job(StylesConfig, gather_styles_job, sys.argv[1:], resumes=False))
