"""What the label maps of a set have in common, and how it settles what one file leaves open.

A single file may not tell on which grid it lies (see ``grids``) or which of two readings of its
numbers is meant (see ``label_values``). Its neighbours often do. So a sample of a set is examined
once before a job, and what is found travels with the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.inputs.grids import Grid, common_grid
from spadepis.dataset.inputs.image_files import (
    Extent,
    RefusedImageError,
    UnreadableImageError,
    decoding,
    extent_of,
    open_image,
    read_extent,
)
from spadepis.dataset.inputs.label_values import Colour, LabelValues, Scaling, label_values
from spadepis.labels import LabelSpace
from spadepis.labels.numbering import count_values, mean_heights

SAMPLE_SIZE = 64
_THREADS = 8
_SHOWN_VALUES = 5


@dataclass(frozen=True)
class LabelConventions:
    """How the label maps of a set are read where a file leaves it open.

    Attributes:
        grid: grid of label maps whose size does not tell; None if it is not known.
        scaling: the reading of numbers if the user says it, else None.
        values: label values of files that have one reading only.
        palette: colours of indices, where the indexed files of the set agree on them.
        palettes_differ: whether they do not agree.
    """

    grid: Grid | None = None
    scaling: Scaling | None = None
    values: frozenset[int] = frozenset()
    palette: Mapping[int, Colour] = field(default_factory=dict)
    palettes_differ: bool = False


UNKNOWN_CONVENTIONS = LabelConventions()


@dataclass(frozen=True)
class LabelMapFinding:
    """What one label map shows.

    Attributes:
        source: source of the label map.
        extent: its size and orientation.
        photo: those of its photo, if it has one that can be read.
        pixels_by_value: number of pixels by label value, in the reading that is preferred.
        is_certain: whether there is only one reading.
        bits: bits of a stored number.
        palette: colours of the indices in use, where the palette has colours.
        heights: how high the pixels of each value lie; see ``mean_heights``.
    """

    source: str
    extent: Extent
    photo: Extent | None
    pixels_by_value: Mapping[int, int]
    is_certain: bool
    bits: int
    palette: Mapping[int, Colour] | None
    heights: Mapping[int, float] = field(default_factory=dict)


def examine_label_map(source: str, photo_source: str | None, max_pixels: int) -> LabelMapFinding:
    """Read a label map, and the size of its photo.

    Raises:
        UnreadableImageError: the label map cannot be read; with the file and the reason.
    """
    file, image = open_image(source, max_pixels)
    with decoding(source):
        values = label_values(image, file)
    try:
        photo = None if photo_source is None else read_extent(photo_source, max_pixels)
    except UnreadableImageError:
        photo = None
    return LabelMapFinding(
        source,
        extent_of(file, image),
        photo,
        count_values(values.preferred),
        values.doubt is None and (values.full is None or values.prefers_full),
        values.bits,
        values.palette,
        mean_heights(values.preferred),
    )


def examine_label_maps(
    label_maps: Mapping[str, str], photos: Mapping[str, str] | None, max_pixels: int
) -> tuple[list[LabelMapFinding], list[str]]:
    """Examine a sample of a set, spread evenly over its ids.

    Args:
        label_maps: sources by id.
        photos: sources by id, if there are photos.
        max_pixels: larger files are refused.

    Returns:
        What the label maps show, and why others of the sample cannot be read.
    """
    ids = list(label_maps)
    count = min(SAMPLE_SIZE, len(ids))
    chosen = np.linspace(0, len(ids) - 1, count).round().astype(int).tolist()

    def examine(index: int) -> LabelMapFinding | str:
        id = ids[index]
        try:
            return examine_label_map(label_maps[id], (photos or {}).get(id), max_pixels)
        except UnreadableImageError as error:
            return str(error)

    with ThreadPoolExecutor(_THREADS) as pool:
        results = list(pool.map(examine, chosen))
    findings = [each for each in results if isinstance(each, LabelMapFinding)]
    return findings, [each for each in results if isinstance(each, str)]


def conventions_of(
    findings: Iterable[LabelMapFinding], grid: Grid | None = None, scaling: Scaling | None = None
) -> LabelConventions:
    """The conventions of a set.

    Args:
        findings: what a sample of its label maps shows.
        grid: what the user says, which comes before what is found.
        scaling: what the user says.
    """
    findings = list(findings)
    pairs = [(finding.extent, finding.photo) for finding in findings if finding.photo is not None]
    certain = [finding for finding in findings if finding.is_certain]
    palette: dict[int, Colour] = {}
    palettes_differ = False
    for finding in certain:
        for index, colour in (finding.palette or {}).items():
            palettes_differ |= palette.setdefault(index, colour) != colour
    return LabelConventions(
        common_grid(pairs) if grid is None else grid,
        scaling,
        frozenset(value for finding in certain for value in finding.pixels_by_value),
        palette,
        palettes_differ,
    )


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
    if values.palette is not None and conventions.scaling is None:
        _check_palette(values.palette, conventions)
    if values.full is None:
        return values.raw
    if conventions.scaling == "full":
        return values.full
    raw, full = (frozenset(np.unique(each).tolist()) for each in (values.raw, values.full))
    if raw == full:
        return values.raw
    possible = _classes(label_space)
    raw_fits, full_fits = (possible is None or found <= possible for found in (raw, full))
    if values.prefers_full:
        if raw_fits and not full_fits:
            raise RefusedImageError(
                f"its palette is grey, but the greys {_shown(full)} are not all label values while "
                f"its indices {_shown(raw)} are; --label-scaling raw takes the indices"
            )
        return values.full
    if raw_fits and full_fits:
        raw_fits, full_fits = raw <= conventions.values, full <= conventions.values
        if raw_fits == full_fits:
            raise RefusedImageError(
                f"it stores {values.bits} bits a pixel, and its label values may be the numbers "
                f"{_shown(raw)} or, scaled to 8 bits, {_shown(full)}; --label-scaling raw takes "
                "the numbers, --label-scaling full the scaled ones"
            )
    return values.full if full_fits else values.raw


def _classes(label_space: LabelSpace | None) -> frozenset[int] | None:
    if label_space is None:
        return None
    values = (*label_space.raw_values, *label_space.published_values)
    return frozenset(value for value in values if value is not None)


def _check_palette(palette: Mapping[int, Colour], conventions: LabelConventions) -> None:
    """Refuse indices that a program may have numbered, by which the palettes of a set differ."""
    common = conventions.palette
    differing = [index for index, colour in palette.items() if common.get(index, colour) != colour]
    if conventions.palettes_differ or differing:
        which = f"of index {differing[0]} " if differing else ""
        raise RefusedImageError(
            f"its palette differs from those of other label maps {which}in the same set: a program "
            "that saved it may have numbered its colours anew, so that indices are no label "
            "values. --label-scaling raw takes the indices"
        )


def _shown(values: frozenset[int]) -> str:
    shown = ", ".join(str(value) for value in sorted(values)[:_SHOWN_VALUES])
    return f"{shown}, ..." if len(values) > _SHOWN_VALUES else shown
