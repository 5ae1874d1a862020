"""Recognising label maps that are not numbered as their label space says.

Most values are a class in several label spaces, so that label maps given as another one decode to
wrong classes without an error. What gives them away is which classes they would hold: the average
share of each class in a published dataset says how likely a set of label maps is in its label
space, by cross-entropy. The set is refused if another label space makes it far more likely.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spadepis.labels.label_space import LabelSpace
from spadepis.labels.published import (
    ADE20K,
    CITYSCAPES,
    CITYSCAPES_TRAIN_IDS,
    COCO_STUFF,
    LABEL_SPACES,
)

__all__ = ["FEWEST_MAPS", "Histogram", "count_values", "find_misnumbering"]

Histogram: TypeAlias = Mapping[int, int]
"""Number of pixels by value of a label map."""

# Fewer label maps may be of any content.
FEWEST_MAPS = 8
# How much lower the cross-entropy in another label space must be, in nats: in one with the same
# classes, and in any other. In the sets that they were measured with, right label spaces are never
# higher by more than 0.15.
MARGIN_OF_NUMBERINGS = 0.3
MARGIN_OF_LABEL_SPACES = 1.0
# Share of a class that is not listed below, and of one that is never annotated or of no class.
OTHER_SHARE = 3e-4
NO_SHARE = 1e-6
SHOWN_VALUES = 3


def _shares(thousandths: str) -> Mapping[str, float]:
    named = (entry.rsplit(maxsplit=1) for entry in thousandths.split(","))
    return {name.strip(): int(share) / 1000 for name, share in named}


# Average shares in thousandths, measured on 244 COCO-Stuff maps, on 18 ADE20K maps and, for street
# scenes, on the 701 maps of CamVid.
_SHARES: Mapping[str, Mapping[str, float]] = {
    COCO_STUFF.name: _shares("""
        person 85, tree 56, sky-other 49, wall-concrete 44, grass 40, unknown 34, building-other 28,
        dining table 28, clouds 28, pavement 25, playingfield 23, wall-other 18, road 17,
        furniture-other 17, metal 15, sea 15, snow 14, sand 14, bowl 14, bed 12, dirt 11, fence 11,
        wall-tile 10, ceiling-other 9, table 9, bus 9, floor-other 8, bush 8, cage 8, floor-wood 8,
        wall-wood 8, cabinet 8, floor-tile 7, plastic 7, window-other 7, river 7, door-stuff 7,
        cat 7, chair 7, car 7,
        street sign 0, hat 0, shoe 0, eye glasses 0, plate 0, mirror 0, window 0, desk 0, door 0,
        blender 0, hair brush 0"""),
    ADE20K.name: _shares("""
        wall 159, sky 112, building 67, floor 67, ceiling 65, road 63, tree 45, grass 36, house 34,
        unknown 30, bed 28, windowpane 28, armchair 23, cabinet 22, curtain 19, sea 19,
        swimming pool 16, sidewalk 14, door 12, mountain 11, rug 10, plant 9, bookcase 9,
        painting 8, chest of drawers 8, book 7, seat 7, lamp 7, car 5, sofa 5"""),
    CITYSCAPES.name: _shares("""
        road 293, building 241, sky 158, vegetation 112, sidewalk 67, car 46, unlabeled 36,
        fence 14, traffic sign 11, pole 10, person 6, rider 5, license plate 0"""),
}


def count_values(label_map: NDArray[np.integer[Any]]) -> dict[int, int]:
    """The histogram of a label map, integers [H,W]."""
    values, counts = np.unique(label_map, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def find_misnumbering(space: LabelSpace, histograms: Mapping[str, Histogram]) -> str | None:
    """Why a set of label maps is not numbered as its label space says, with the remedy.

    Names of files and values that the label space does not have are judged for any number of label
    maps; shares of classes from ``FEWEST_MAPS`` on. Only published label spaces are judged.

    Args:
        space: what the label maps were given as.
        histograms: of label maps of the set by their file name, path or URI.

    Returns:
        One line without a final stop, or None if nothing speaks against the label space.
    """
    if space.name not in LABEL_SPACES or not histograms:
        return None
    return (
        _by_name(space, histograms)
        or _by_shares(space, histograms)
        or _by_unknown_values(space, histograms)
        or _by_license_plates(space, histograms)
    )


def _by_name(space: LabelSpace, histograms: Mapping[str, Histogram]) -> str | None:
    for part, likely in (("labelTrainIds", CITYSCAPES_TRAIN_IDS), ("labelIds", CITYSCAPES)):
        named = [name for name in histograms if part in name]
        if named and likely != space:
            return _message(space, likely, f"the label maps are named {part}, e.g. {named[0]}")
    return None


def _by_unknown_values(space: LabelSpace, histograms: Mapping[str, Histogram]) -> str | None:
    """By values that are no class here, but in a label space with the same classes."""
    bad = [found for found in histograms.values() if not _holds(space, found)]
    for likely in LABEL_SPACES.values():
        same_classes = likely.generator_space == space.generator_space
        if bad and same_classes and all(_holds(likely, found) for found in histograms.values()):
            unknown = min(set(bad[0]) - _values(space))
            evidence = (
                f"{len(bad)} of {len(histograms)} label maps hold values that are no class, "
                f"such as {unknown}"
            )
            return _message(space, likely, evidence)
    return None


def _by_license_plates(space: LabelSpace, histograms: Mapping[str, Histogram]) -> str | None:
    """By 255, which the published label ids never hold and other tools use for unlabelled."""
    plates = {255, -1}
    holding = [name for name, found in histograms.items() if plates & found.keys()]
    if space != CITYSCAPES or not holding:
        return None
    evidence = (
        f"{len(holding)} of {len(histograms)} label maps hold 255, which stands for license plates "
        "and is not in published label maps"
    )
    if all(_holds(CITYSCAPES_TRAIN_IDS, found) for found in histograms.values()):
        return _message(space, CITYSCAPES_TRAIN_IDS, evidence)
    return f"{evidence}: if it means unlabelled, write 0 instead"


def _by_shares(space: LabelSpace, histograms: Mapping[str, Histogram]) -> str | None:
    """By the shares of the classes that the label maps would hold."""
    if len(histograms) < FEWEST_MAPS:
        return None
    shares: Counter[int] = Counter()
    for histogram in histograms.values():
        pixels = sum(histogram.values()) * len(histograms)
        shares.update({value: count / pixels for value, count in histogram.items()})
    entropy = {name: _cross_entropy(other, shares) for name, other in LABEL_SPACES.items()}
    likely = LABEL_SPACES[min(entropy, key=lambda name: entropy[name])]
    same_classes = likely.generator_space == space.generator_space
    margin = MARGIN_OF_NUMBERINGS if same_classes else MARGIN_OF_LABEL_SPACES
    if entropy[space.name] - entropy[likely.name] < margin:
        return None
    common = [value for value, _ in shares.most_common(SHOWN_VALUES)]
    evidence = (
        f"their most common values {', '.join(map(str, common))} would be "
        f"{_classes(space, common)}; in {likely.name} they are {_classes(likely, common)}"
    )
    return _message(space, likely, evidence)


def _message(space: LabelSpace, likely: LabelSpace, evidence: str) -> str:
    return (
        f"the label maps seem to be {likely.name}, not {space.name}: {evidence}. "
        f"Give --label-space {likely.name}"
    )


def _cross_entropy(space: LabelSpace, shares: Mapping[int, float]) -> float:
    """Cross-entropy, in nats, of the classes in a set and those in the published dataset."""
    expected = _SHARES[space.generator_space]
    by_value: dict[int, float] = {}
    for name, value in zip(space.names, space.raw_values, strict=True):
        if value is not None:
            by_value[value] = max(expected.get(name, OTHER_SHARE), NO_SHARE)
    return -sum(share * math.log(by_value.get(value, NO_SHARE)) for value, share in shares.items())


def _values(space: LabelSpace) -> set[int]:
    return {value for value in (*space.raw_values, *space.published_values) if value is not None}


def _holds(space: LabelSpace, histogram: Histogram) -> bool:
    return histogram.keys() <= _values(space)


def _classes(space: LabelSpace, values: list[int]) -> str:
    by_value = dict(zip(space.raw_values, space.names, strict=True))
    return ", ".join(by_value.get(value, "no class") for value in values)
