"""Recognising label maps that are not numbered as their label space says.

Most values are a class in several label spaces, so that label maps given as another one decode to
wrong classes without an error. They are recognised by the names of files, by values of no class,
and by their content (see ``plausibility``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from spadepis.labels.label_space import LabelSpace
from spadepis.labels.plausibility import (
    FEWEST_MAPS,
    Histogram,
    find_implausible_content,
    misnumbered,
)
from spadepis.labels.published import CITYSCAPES, CITYSCAPES_TRAIN_IDS, LABEL_SPACES

_LICENSE_PLATES = "which stands for license plates and is not in published label maps"


def find_misnumbering(
    space: LabelSpace,
    histograms: Mapping[str, Histogram],
    heights: Mapping[str, Mapping[int, float]] | None = None,
) -> str | None:
    """Why a set of label maps is not numbered as its label space says, with the remedy.

    Names of files and values that the label space does not have are judged for any number of label
    maps; their content from ``FEWEST_MAPS`` on. Only published label spaces are judged.

    Args:
        space: what the label maps were given as.
        histograms: histograms of label maps of the set, by path or URI.
        heights: what ``mean_heights`` returns for the same label maps, if it is known.

    Returns:
        One line without a final stop, or None if nothing speaks against the label space.
    """
    if space.name not in LABEL_SPACES or not histograms:
        return None
    enough = len(histograms) >= FEWEST_MAPS
    return (
        _by_name(space, histograms)
        or (find_implausible_content(space, histograms, heights or {}) if enough else None)
        or _by_unknown_values(space, histograms)
        or _by_license_plates(space, histograms)
    )


def suspect_misnumbering(
    space: LabelSpace,
    histograms: Mapping[str, Histogram],
    heights: Mapping[str, Mapping[int, float]],
) -> str | None:
    """What ``find_misnumbering`` would say of the content if the label maps were not so few."""
    if space.name not in LABEL_SPACES or not 0 < len(histograms) < FEWEST_MAPS:
        return None
    return find_implausible_content(space, histograms, heights)


def _by_name(space: LabelSpace, histograms: Mapping[str, Histogram]) -> str | None:
    for part, likely in (("labelTrainIds", CITYSCAPES_TRAIN_IDS), ("labelIds", CITYSCAPES)):
        named = [name for name in histograms if part in PurePosixPath(name).name]
        if named and likely != space:
            return misnumbered(space, likely, f"the label maps are named {part}, e.g. {named[0]}")
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
            return misnumbered(space, likely, evidence)
    return None


def unlabelled_values(space: LabelSpace) -> Mapping[int, str]:
    """The values that published label maps never hold and other tools use for unlabelled.

    They are values of a class all the same: -1, and 255, which is its form in 8 bits.

    Returns:
        The values, with what is wrong with a file that has them.
    """
    if space != CITYSCAPES:
        return {}
    return {value: f"it holds {value}, {_LICENSE_PLATES}" for value in (255, -1)}


def _by_license_plates(space: LabelSpace, histograms: Mapping[str, Histogram]) -> str | None:
    """By what other tools use for unlabelled."""
    plates = unlabelled_values(space).keys()
    holding = [name for name, found in histograms.items() if plates & found.keys()]
    if not holding:
        return None
    value = min(value for found in histograms.values() for value in plates & found.keys())
    evidence = f"{len(holding)} of {len(histograms)} label maps hold {value}, {_LICENSE_PLATES}"
    if all(_holds(CITYSCAPES_TRAIN_IDS, found) for found in histograms.values()):
        return misnumbered(space, CITYSCAPES_TRAIN_IDS, evidence)
    return f"{evidence}: if it means unlabelled, write 0 instead"


def _values(space: LabelSpace) -> set[int]:
    return {value for value in (*space.raw_values, *space.published_values) if value is not None}


def _holds(space: LabelSpace, histogram: Histogram) -> bool:
    return histogram.keys() <= _values(space)
