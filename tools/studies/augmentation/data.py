"""What the study of augmentation trains on, and the looks that it tests under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from spadepis import ImageSet
from spadepis.configuration import ConfigurationError
from spadepis.labels import LabelSpace
from spadepis.training.photos import Pair, list_pairs
from tools.studies.augmentation.config import AugmentationStudyConfig, split
from tools.studies.augmentation.photometric import night, snow

Item = TypeVar("Item")

# Of the poolings of the segmentation network, together.
STRIDE = 16


@dataclass(frozen=True)
class StudyData:
    """The pairs of a study.

    Attributes:
        real: what every network is trained on.
        generated: the same in other styles.
        looks: test pairs by look; their sides are divisible by 16.
    """

    real: Sequence[Pair]
    generated: Sequence[Pair]
    looks: Mapping[str, Sequence[Pair]]


def read_study_data(config: AugmentationStudyConfig) -> StudyData:
    """Read all pairs into memory, and make those of the photometric looks.

    Raises:
        ConfigurationError: a picture or a style would be in training and tests alike, or there
            is nothing of a kind.
    """
    space = config.space
    parts = {}
    for name in ("training", "held_out", "changed"):
        globs = split(getattr(config, name))
        parts[name] = {
            file.id: file.read()
            for file in list_pairs(config.photos, config.labels, space)
            if any(fnmatchcase(file.id, glob) for glob in globs)
        }
        if not parts[name]:
            raise ConfigurationError(f"no label map in {config.labels} is like {','.join(globs)}")
    generated, styled = ImageSet(config.generated), ImageSet(config.styled)
    _check_separation(parts, generated, styled)

    unchanged = _spaced(list(parts["held_out"].values()), config.test_pictures)
    ground, plants = config.classes(config.ground), config.classes(config.plants)
    looks = {
        "unchanged": unchanged,
        "changed, real": _spaced(list(parts["changed"].values()), config.test_pictures),
        "night, by formula": [
            _repainted(pair, night(pair.photo / 255, torch.Generator().manual_seed(number)))
            for number, pair in enumerate(unchanged)
        ],
        "snow, by formula": [
            _repainted(
                pair,
                snow(
                    pair.photo / 255,
                    pair.labels,
                    ground,
                    plants,
                    torch.Generator().manual_seed(number),
                ),
            )
            for number, pair in enumerate(unchanged)
        ],
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
        generated=_read_set(generated, space, len(generated)),
        looks={look: [_aligned(pair) for pair in pairs] for look, pairs in looks.items()},
    )


def _check_separation(
    parts: Mapping[str, Mapping[str, Pair]], generated: ImageSet, styled: ImageSet
) -> None:
    """See that no picture and no style is in training and tests alike.

    Raises:
        ConfigurationError: naming what is where it should not be.
    """
    training, tests = set(parts["training"]), {*parts["held_out"], *parts["changed"]}
    styled_styles = _column(styled, "style_id")
    for what, stray in {
        "in training and tests": training & tests,
        "in --generated and not in --training": _column(generated, "mask_id") - training,
        "in --styled and not in --held-out": _column(styled, "mask_id") - set(parts["held_out"]),
        "a style of --generated and of --styled": _column(generated, "style_id") & styled_styles,
    }.items():
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


def _aligned(pair: Pair) -> Pair:
    """Without the pixels at the right and lower edge beyond the last whole stride."""
    height, width = (side // STRIDE * STRIDE for side in pair.labels.shape)
    return Pair(pair.photo[:, :height, :width], pair.labels[:height, :width])
