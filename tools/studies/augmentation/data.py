"""What the study of augmentation trains on, and the looks that it tests under."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations
from typing import TypeVar

import numpy as np
import pyarrow.compute as pc
import torch
from torch import Tensor

from spadepis import ImageSet
from spadepis.configuration import ConfigurationError
from spadepis.labels import LabelSpace
from spadepis.training.photos import Pair, list_pairs
from tools.studies.augmentation.config import AugmentationStudyConfig, Recipe, split
from tools.studies.augmentation.photometric import night, snow

Item = TypeVar("Item")

# The settings that name pairs; no pair is in two of them.
PARTS = ("training", "held_out", "held_out_validation", "changed", "changed_validation")
# Looks of both tests and validation.
UNCHANGED, CHANGED = "unchanged", "changed, real"
HIGHER_IS_BETTER = {"structure"}


@dataclass(frozen=True)
class StudyData:
    """The pairs of a study.

    Attributes:
        real: what every network is trained on.
        generated: what is added by each recipe that adds anything, by the recipe's name.
        validation: pairs for the training curves and the choice of recipes, by look.
        looks: test pairs by look.
    """

    real: Sequence[Pair]
    generated: Mapping[str, Sequence[Pair]]
    validation: Mapping[str, Sequence[Pair]]
    looks: Mapping[str, Sequence[Pair]]


def read_study_data(config: AugmentationStudyConfig) -> StudyData:
    """Read all pairs into memory, and make those of the photometric looks.

    Raises:
        ConfigurationError: a picture or a style would be in training and tests alike, or there
            is nothing of a kind.
    """
    space = config.space
    parts = {part: _read_part(config, part) for part in PARTS}
    generated = {
        name: _kept(ImageSet(recipe.images), recipe)
        for name, recipe in config.recipes.items()
        if recipe.images is not None
    }
    styled = ImageSet(config.styled)
    _check_separation(parts, generated, styled)

    test_pairs = {
        part: _spaced(list(parts[part].values()), config.test_pictures)
        for part in ("held_out", "changed")
    }
    validation = {
        look: _spaced(list(parts[part].values()), config.validation_pictures)
        for look, part in {
            UNCHANGED: "held_out_validation",
            CHANGED: "changed_validation",
        }.items()
    }
    looks = {
        UNCHANGED: test_pairs["held_out"],
        CHANGED: test_pairs["changed"],
        **_photometric_looks(config, test_pairs["held_out"]),
    }
    for look, globs in {
        "other styles: night": split(config.night_styles),
        "other styles: snow": split(config.snow_styles),
        "other styles: all": ["*"],
    }.items():
        chosen = _of_styles(styled, globs)
        if not len(chosen):
            raise ConfigurationError(f"no style in {config.styled} is like {','.join(globs)}")
        looks[look] = _read_set(chosen, space, config.test_pictures)
    return StudyData(
        real=list(parts["training"].values()),
        generated={name: _read_set(kept, space, len(kept)) for name, kept in generated.items()},
        validation=validation,
        looks=looks,
    )


def _read_part(config: AugmentationStudyConfig, part: str) -> dict[str, Pair]:
    """The pairs that the setting of a part names, by id."""
    globs = split(getattr(config, part))
    pairs = {
        file.id: file.read()
        for file in list_pairs(config.photos, config.labels, config.space)
        if any(fnmatchcase(file.id, glob) for glob in globs)
    }
    if not pairs:
        raise ConfigurationError(f"no label map in {config.labels} is like {','.join(globs)}")
    return pairs


def _kept(images: ImageSet, recipe: Recipe) -> ImageSet:
    """Without the worst pairs, as the recipe says."""
    if recipe.drop == 0:
        return images
    values = images.table[recipe.worst_by]
    best_first = "descending" if recipe.worst_by in HIGHER_IS_BETTER else "ascending"
    order = pc.sort_indices(values, sort_keys=[("", best_first)])
    kept = max(round((1 - recipe.drop) * len(images)), 1)
    last = values[order[kept - 1].as_py()]
    metric = pc.field(recipe.worst_by)
    return images.where(metric >= last if best_first == "descending" else metric <= last)


def _photometric_looks(
    config: AugmentationStudyConfig, pairs: Sequence[Pair]
) -> dict[str, Sequence[Pair]]:
    ground, plants = config.classes(config.ground), config.classes(config.plants)
    looks: dict[str, list[Pair]] = {"night, by formula": [], "snow, by formula": []}
    for number, pair in enumerate(pairs):
        photo = pair.photo / 255
        random = torch.Generator().manual_seed(number)
        looks["night, by formula"].append(_repainted(pair, night(photo, random)))
        random = torch.Generator().manual_seed(number)
        snowy = snow(photo, pair.labels, ground, plants, random)
        looks["snow, by formula"].append(_repainted(pair, snowy))
    return dict(looks)


def _check_separation(
    parts: Mapping[str, Mapping[str, Pair]], generated: Mapping[str, ImageSet], styled: ImageSet
) -> None:
    """See that no picture and no style is in training and tests alike.

    Raises:
        ConfigurationError: naming what is where it should not be.
    """
    for one, other in combinations(PARTS, 2):
        _refuse(set(parts[one]) & set(parts[other]), f"both in {_named(one)} and {_named(other)}")
    strange = _column(styled, "mask_id") - set(parts["held_out"])
    _refuse(strange, "in --styled and not in --held-out")
    for name, images in generated.items():
        strange = _column(images, "mask_id") - set(parts["training"])
        _refuse(strange, f"in the images of {name} and not in --training")
        shared = _column(images, "style_id") & _column(styled, "style_id")
        _refuse(shared, f"a style of {name} and of --styled")


def _named(part: str) -> str:
    return "--" + part.replace("_", "-")


def _refuse(stray: Collection[str], what: str) -> None:
    if stray:
        raise ConfigurationError(f"{min(stray)} is {what} ({len(stray)} such ids)")


def _column(images: ImageSet, name: str) -> set[str]:
    return set(images.table[name].to_pylist())


def _of_styles(images: ImageSet, globs: Sequence[str]) -> ImageSet:
    styles = sorted(_column(images, "style_id"))
    chosen = [style for style in styles if any(fnmatchcase(style, glob) for glob in globs)]
    return images.where(style_id=chosen)


def _read_set(images: ImageSet, space: LabelSpace, most: int) -> list[Pair]:
    """The pairs of an image set, at most so many of them, evenly spaced by id."""
    ids = [(row["mask_id"], row["style_id"]) for row in images.table.to_pylist()]
    rows = sorted(range(len(ids)), key=ids.__getitem__)
    pairs = []
    for row in _spaced(rows, most):
        photo, label_map = images[row]
        if label_map is None:
            raise ConfigurationError("an image set has no label maps: make it with --masks")
        indices = space.decode(label_map.numpy()).astype(np.uint8)
        pairs.append(Pair(photo.as_subclass(Tensor), torch.from_numpy(indices)))
    return pairs


def _spaced(items: Sequence[Item], most: int) -> list[Item]:
    return [items[i * len(items) // min(most, len(items))] for i in range(min(most, len(items)))]


def _repainted(pair: Pair, photo: Tensor) -> Pair:
    return Pair((photo * 255).round().to(torch.uint8), pair.labels)
