"""What the label maps of a set have in common, and how it settles what one file leaves open.

A single file may not tell on which grid it lies (see ``grids``) or which of two readings of its
numbers is meant (see ``label_values``). Its neighbours often do. So a sample of a set is examined
once before a job (see ``examination``), and what is found travels with the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.inputs.grids import Grid
from spadepis.dataset.inputs.image_files import RefusedImageError
from spadepis.dataset.inputs.label_values import Colour, LabelValues, Scaling
from spadepis.labels import LabelSpace

# Of so many label maps without a colour palette another one is not expected to have one.
ENOUGH_EXAMINED = 8
_SHOWN_VALUES = 5
_RENUMBERED = (
    "a program that saved it may have numbered its colours anew, so that indices are no label "
    "values. --label-scaling raw takes the indices"
)


@dataclass(frozen=True)
class LabelConventions:
    """How the label maps of a set are read where a file leaves it open.

    Attributes:
        grid: grid of label maps whose size does not tell; None if it is not known.
        scaling: the reading of numbers if the user says it, else None.
        values: label values of files that have one reading only.
        palette: colours of indices, where the indexed files of the set agree on them.
        palettes_differ: whether they do not agree.
        examined: how many label maps this was found in.
        refused_values: values that no label map of the set may have, with the reason.
        borders_agree: whether the borders of instance maps are those of label maps in the set.
    """

    grid: Grid | None = None
    scaling: Scaling | None = None
    values: frozenset[int] = frozenset()
    palette: Mapping[int, Colour] = field(default_factory=dict)
    palettes_differ: bool = False
    examined: int = 0
    refused_values: Mapping[int, str] = field(default_factory=dict)
    borders_agree: bool = False


UNKNOWN_CONVENTIONS = LabelConventions()


def choose_reading(
    values: LabelValues, label_space: LabelSpace | None, conventions: LabelConventions
) -> NDArray[np.integer[Any]]:
    """The label values [H,W] that were written.

    Args:
        values: the readings that the encoding allows.
        label_space: what values there can be, if it is known.
        conventions: those of the set.

    Raises:
        RefusedImageError: several readings are plausible.
    """
    if conventions.scaling == "raw":
        return values.raw
    if values.doubt is not None:
        raise RefusedImageError(values.doubt)
    if values.palette is not None:
        _check_palette(values.palette, conventions)
    if values.full is None:
        return values.raw
    if conventions.scaling == "full":
        return values.full
    raw, full = (frozenset(np.unique(each).tolist()) for each in (values.raw, values.full))
    if raw == full:
        # The same values, but not everywhere where a grey palette permutes them.
        return values.preferred
    possible = _classes(label_space)
    raw_fits, full_fits = (possible is None or found <= possible for found in (raw, full))
    if values.prefers_full:
        if raw_fits and not full_fits:
            raise RefusedImageError(
                f"its palette is grey, but the greys {_shown(full)} are not all label values while "
                f"its indices {_shown(raw)} are; --label-scaling raw takes the indices"
            )
        return values.full
    if not raw_fits and not full_fits:
        # Decoding will say which values are no classes.
        return values.raw
    raw_in_set, full_in_set = (found <= conventions.values for found in (raw, full))
    evidence = (full_fits - raw_fits) + (full_in_set - raw_in_set)
    if not evidence:
        raise RefusedImageError(
            f"it stores {values.bits} bits a pixel, and its label values may be the numbers "
            f"{_shown(raw)} or, scaled to 8 bits, {_shown(full)}; --label-scaling raw takes "
            "the numbers, --label-scaling full the scaled ones"
        )
    return values.full if evidence > 0 else values.raw


def _classes(label_space: LabelSpace | None) -> frozenset[int] | None:
    if label_space is None:
        return None
    values = (*label_space.raw_values, *label_space.published_values)
    return frozenset(value for value in values if value is not None)


def _check_palette(palette: Mapping[int, Colour], conventions: LabelConventions) -> None:
    """Refuse indices that differ from the set's palettes: a program may have renumbered them."""
    common = conventions.palette
    if not common and conventions.examined >= ENOUGH_EXAMINED:
        raise RefusedImageError(
            f"it has a colour palette, and none of {conventions.examined} other label maps of the "
            f"set has one: {_RENUMBERED}"
        )
    index_of = {colour: index for index, colour in common.items()}
    differing = [index for index, colour in palette.items() if common.get(index, colour) != colour]
    moved = [
        index
        for index, colour in palette.items()
        if index not in common and index_of.get(colour, index) != index
    ]
    # One colour may stand for two values, such as black for 0 and 255.
    differing += moved if len(moved) > 1 else []
    if conventions.palettes_differ or differing:
        which = f"of index {differing[0]} " if differing else ""
        raise RefusedImageError(
            f"its palette differs from those of other label maps {which}in the same set: "
            f"{_RENUMBERED}"
        )


def _shown(values: frozenset[int]) -> str:
    shown = ", ".join(str(value) for value in sorted(values)[:_SHOWN_VALUES])
    return f"{shown}, ..." if len(values) > _SHOWN_VALUES else shown
