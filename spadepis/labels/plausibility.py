"""Whether the content of label maps is that of a label space.

The classes that label maps would hold give them away, and where these lie. The average share of
each class in a published dataset says how likely a set of label maps is in its label space, by
cross-entropy; and sky lies above roads and floors. A set is implausible if another label space is
far more likely, or if its values are numbered from 0 or 1 without gaps, as in a label space of its
own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spadepis.labels.label_space import LabelSpace
from spadepis.labels.published import ADE20K, CITYSCAPES, COCO_STUFF, LABEL_SPACES

Histogram: TypeAlias = Mapping[int, int]
"""Number of pixels by value of a label map."""

# Fewer label maps may be of any content.
FEWEST_MAPS = 8
# How much lower the cross-entropy in another label space must be, in nats: in one with the same
# classes, and in any other. In the sets that they were measured with, right label spaces are never
# higher by more than 0.15.
MARGIN_OF_NUMBERINGS = 0.3
MARGIN_OF_LABEL_SPACES = 1.0
# Label maps with more in every label space are like none of them. Right ones had up to 5.9, noise
# in the values of COCO-Stuff and ADE20K had 6.5 and more.
MOST_NATS = 6.0
# Nats for a difference of the whole height of an image in where upper and lower classes lie.
NATS_OF_HEIGHT = 3.0
# Where these classes have less than this share of the pixels, their heights tell nothing.
LEAST_SHARE_OF_HEIGHTS = 0.05
# Values without gaps up to this part of those of the label space are a numbering of their own. One
# of so many values may be missing.
HIGHEST_OF_OWN_NUMBERING = 0.7
VALUES_FOR_A_GAP = 8
# Share of a class that is not listed below, and of one that is never annotated or of no class.
OTHER_SHARE = 3e-4
NO_SHARE = 1e-6
SHOWN_VALUES = 3
MOST_ROWS = 256


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

# Classes of the published label spaces that lie above others, and below.
_UPPER = ("sky", "sky-other", "clouds", "ceiling", "ceiling-other", "ceiling-tile")
_LOWER = (
    *("road", "sidewalk", "pavement", "path", "runway", "dirt track", "playingfield", "field"),
    *("floor", "floor-other", "floor-wood", "floor-tile", "floor-stone", "floor-marble", "rug"),
    *("carpet", "ground", "ground-other", "terrain", "earth", "dirt", "gravel", "sand", "grass"),
    *("sea", "river", "water", "water-other"),
)
_HEIGHT_TELLS = dict.fromkeys(_UPPER, 1.0) | dict.fromkeys(_LOWER, -1.0)


def count_values(label_map: NDArray[np.integer[Any]]) -> dict[int, int]:
    """The histogram of a label map, integers [H,W]."""
    values, counts = np.unique(label_map, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def mean_heights(label_map: NDArray[np.integer[Any]]) -> dict[int, float]:
    """How high the pixels of each value lie on average: 1 is the top edge, 0 the bottom edge.

    Args:
        label_map: integers [H,W]. Of large ones not every pixel is looked at.
    """
    height, width = label_map.shape
    thinned = label_map[:: -(-height // MOST_ROWS), :: -(-width // MOST_ROWS)]
    rows = np.arange(len(thinned)) + 0.5
    values, inverse = np.unique(thinned, return_inverse=True)
    inverse = inverse.reshape(-1)
    above = np.repeat(1 - rows / len(thinned), thinned.shape[1])
    means = np.bincount(inverse, above) / np.bincount(inverse)
    return dict(zip(values.tolist(), means.tolist(), strict=True))


def find_implausible_content(
    space: LabelSpace,
    histograms: Mapping[str, Histogram],
    heights: Mapping[str, Mapping[int, float]],
) -> str | None:
    """Why label maps seem to be of another label space, by the classes that they would hold.

    Args:
        space: what the label maps were given as.
        histograms: of label maps of the set by file name.
        heights: what ``mean_heights`` returns for the same label maps.
    """
    shares: dict[int, float] = defaultdict(float)
    above: dict[int, float] = defaultdict(float)
    for name, histogram in histograms.items():
        pixels = sum(histogram.values()) * len(histograms)
        for value, count in histogram.items():
            shares[value] += count / pixels
            above[value] += count / pixels * (heights.get(name, {}).get(value, 0.5) - 0.5)
    entropy = {name: _cross_entropy(other, shares) for name, other in LABEL_SPACES.items()}
    cost = {
        name: entropy[name] - NATS_OF_HEIGHT * _order(other, shares, above)
        for name, other in LABEL_SPACES.items()
    }
    likely = LABEL_SPACES[min(cost, key=lambda name: cost[name])]
    same_classes = likely.generator_space == space.generator_space
    margin = MARGIN_OF_NUMBERINGS if same_classes else MARGIN_OF_LABEL_SPACES
    if cost[space.name] - cost[likely.name] < margin or entropy[likely.name] > MOST_NATS:
        likely = space
    if len(histograms) >= FEWEST_MAPS and _is_own_numbering(likely, shares.keys()):
        return (
            f"the label maps seem to have a numbering of their own, not that of {space.name}: they "
            f"hold the values {_range(shares.keys())} and, but for 255, no higher ones. Describe "
            "your classes in a YAML file and give it as --label-space"
        )
    if likely == space:
        return None
    common = sorted(shares, key=lambda value: -shares[value])[:SHOWN_VALUES]
    evidence = (
        f"their most common values {', '.join(map(str, common))} mean "
        f"{_classes(space, common)} there; in {likely.name} they are {_classes(likely, common)}"
    )
    return misnumbered(space, likely, evidence)


def _order(space: LabelSpace, shares: Mapping[int, float], above: Mapping[int, float]) -> float:
    """How far upper classes lie above the middle and lower classes below it, on average.

    Args:
        space: what the values mean.
        shares: of the pixels, by value.
        above: by value, its share times how far it lies above the middle.
    """
    tells = {
        value: _HEIGHT_TELLS[name]
        for name, value in zip(space.names, space.raw_values, strict=True)
        if name in _HEIGHT_TELLS and value in shares
    }
    share = sum(shares[value] for value in tells if value is not None)
    if share < LEAST_SHARE_OF_HEIGHTS:
        return 0.0
    return sum(sign * above[value] for value, sign in tells.items() if value is not None) / share


def _is_own_numbering(space: LabelSpace, values: Collection[int]) -> bool:
    """Whether values go from 0 or 1 up without gaps, and stop far below those of the label space.

    The classes of a published label space that a set holds are spread over its numbers.
    """
    used = sorted(set(values) - {255})
    if len(used) < 2 or used[0] > 1:
        return False
    highest = max(value for value in space.raw_values if value is not None and value != 255)
    gaps = used[-1] - used[0] + 1 - len(used)
    return used[-1] <= HIGHEST_OF_OWN_NUMBERING * highest and gaps <= len(used) // VALUES_FOR_A_GAP


def _range(values: Collection[int]) -> str:
    used = sorted(set(values) - {255})
    return f"{used[0]} to {used[-1]}"


def misnumbered(space: LabelSpace, likely: LabelSpace, evidence: str) -> str:
    """The line that says which label space is likely, and how to give it."""
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


def _classes(space: LabelSpace, values: list[int]) -> str:
    by_value = dict(zip(space.raw_values, space.names, strict=True))
    return ", ".join(by_value.get(value, "no class") for value in values)
