"""Which pairs SPADE is trained on, how often each is drawn, and how much each class counts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.configuration import ConfigurationError
from spadepis.dataset.ids import composed
from spadepis.dataset.inputs.grids import Grid
from spadepis.dataset.inputs.label_values import Scaling
from spadepis.labels import LabelSpace
from spadepis.labels.label_space import UNKNOWN_CLASSES
from spadepis.training.borrowing import Borrowing
from spadepis.training.photos import PairFile, is_held_out, list_pairs
from spadepis.training.sources import Source

# A class is present in a label map that it covers this share of.
SMALLEST_SHARE = 0.004

LARGEST_CLASS_WEIGHT = 8.0


@dataclass(frozen=True)
class PairFolders:
    """Where the pairs of a source lie.

    Attributes:
        photos: folder of photos, JPEG, PNG or WebP.
        labels: folder of PNG label maps of the same names.
        weight: how often the source is drawn, relative to others. Default: the square root of its
            number of pairs.
    """

    photos: Path
    labels: Path
    weight: float | None = None


@dataclass(frozen=True)
class TrainingPairs:
    """Pairs to train on and pairs to look at.

    Attributes:
        sources: the pairs to train on, by source.
        class_weights: weight of each class in a loss, [num_classes].
        borrowing: which classes of a label map may be called others.
        held_out: pairs that are not trained on, by source.
    """

    sources: Sequence[Source[PairFile]]
    class_weights: Tensor
    borrowing: Borrowing
    held_out: Sequence[Sequence[PairFile]]


def read_training_pairs(
    training: Sequence[PairFolders],
    held_out: Sequence[PairFolders],
    space: LabelSpace,
    grid: Grid | None = None,
    scaling: Scaling | None = None,
) -> TrainingPairs:
    """List the pairs of all sources and count the classes in their label maps.

    Of each training source one pair in 40 is held out. A pair whose id also occurs in a held-out
    source is not trained on.

    Args:
        training: sources to train on.
        held_out: sources that are not trained on.
        space: the label space of all.
        grid: on which grid label maps lie whose sizes do not tell, if it is known.
        scaling: how label values of fewer than 8 bits are meant, if it is known.

    Raises:
        ConfigurationError: there are no pairs in one of the sources, or none to train on, or the
            files of one are not clear.
        UnreadableImageError: a label map cannot be read, or holds values of no class.
    """
    if not training:
        raise ConfigurationError("--pairs: name the folders to train on")

    def list_source(folders: PairFolders) -> list[PairFile]:
        return list_pairs(folders.photos, folders.labels, space, grid, scaling)

    kept_out = [list_source(folders) for folders in held_out]
    forbidden = {composed(pair.id) for pairs in kept_out for pair in pairs}
    known = np.array([name not in UNKNOWN_CLASSES for name in space.names])
    sources, pixels = [], []
    pictures = np.zeros(space.num_classes, np.int64)
    for folders in training:
        pairs = list_source(folders)
        kept_out.append([pair for pair in pairs if is_held_out(pair.id)])
        pairs = [pair for pair in pairs if not is_held_out(pair.id)]
        pairs = [pair for pair in pairs if composed(pair.id) not in forbidden]
        if not pairs:
            raise ConfigurationError(
                f"nothing to train on: all pairs of {folders.photos} and {folders.labels} are held "
                "out"
            )
        counts = _count_classes(pairs, space.num_classes)
        weight = len(pairs) ** 0.5 if folders.weight is None else folders.weight
        present = _presence(counts) & known
        sources.append(Source(pairs, _rarity(present), weight))
        pixels.append(weight * counts.sum(axis=0) / counts.sum())
        pictures += present.sum(axis=0)
    shares = np.sum(pixels, axis=0) / np.sum(pixels)
    if not shares[known].any():
        raise ConfigurationError("nothing to train on: no label map shows a class")
    borrowing = Borrowing.plan(space, pictures, shares)
    weights = _class_weights(borrowing.shares(shares) * known)
    return TrainingPairs(sources, weights, borrowing, kept_out)


def _count_classes(pairs: Sequence[PairFile], num_classes: int) -> NDArray[np.int64]:
    """Pixels of each class in each label map, [len(pairs),num_classes]."""

    def count(pair: PairFile) -> NDArray[np.int64]:
        return np.bincount(pair.read_labels().flatten(), minlength=num_classes)

    with ThreadPoolExecutor() as threads:
        return np.stack(list(threads.map(count, pairs)))


def _presence(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which classes each label map shows, [len(pairs),num_classes]."""
    present: NDArray[np.bool_] = counts >= SMALLEST_SHARE * counts.sum(axis=1, keepdims=True)
    return present


def _rarity(present: NDArray[np.bool_]) -> Tensor:
    """Weights of pairs: one over the root of how many pairs show a pair's rarest class."""
    pairs_of_class = present.sum(axis=0).clip(min=1)
    by_class = np.where(present, pairs_of_class**-0.5, len(present) ** -0.5)
    return torch.from_numpy(by_class.max(axis=1))


def _class_weights(pixels: NDArray[np.float64]) -> Tensor:
    """Weights of classes in a loss: one over the root of the share of pixels that show them.

    Their mean over known pixels is 1 before large ones are cut. In training it is a little more,
    for pairs with rare classes are drawn more often. Classes without pixels have
    weight 0.

    Args:
        pixels: how many pixels show each class, in any unit; of those that stand for unknown, 0.
    """
    shares = torch.from_numpy(pixels / pixels.sum())
    weights = torch.where(shares > 0, shares.rsqrt(), 0)
    weights /= (weights * shares).sum()
    return weights.clamp(max=LARGEST_CLASS_WEIGHT).float()
