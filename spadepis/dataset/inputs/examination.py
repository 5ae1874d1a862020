"""What a sample of the label maps of a set shows, from which its conventions follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.inputs.conventions import ENOUGH_EXAMINED, LabelConventions
from spadepis.dataset.inputs.grids import Grid, check_same_grid, common_grid
from spadepis.dataset.inputs.image_files import (
    Extent,
    UnreadableImageError,
    decoding,
    extent_of,
    open_image,
    read_extent,
)
from spadepis.dataset.inputs.label_values import Colour, Scaling, label_values
from spadepis.labels.edges import border_agreement
from spadepis.labels.plausibility import count_values, mean_heights

SAMPLE_SIZE = 64
# Where nine tenths of the instance maps agree so well, one that does not is of another scene.
CLOSE_AGREEMENT = 0.9
THREADS = 8


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
        agreement: how well its borders agree with those of its instance map, if that can be told;
            see ``border_agreement``.
    """

    source: str
    extent: Extent
    photo: Extent | None
    pixels_by_value: Mapping[int, int]
    is_certain: bool
    bits: int
    palette: Mapping[int, Colour] | None
    heights: Mapping[int, float] = field(default_factory=dict)
    agreement: float | None = None


def examine_label_map(
    source: str, photo_source: str | None, instance_source: str | None, max_pixels: int
) -> LabelMapFinding:
    """Read a label map, its instance map, and the size of its photo.

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
        _agreement(values.preferred, extent_of(file, image), instance_source, max_pixels),
    )


def _agreement(
    label_map: NDArray[np.integer[Any]],
    extent: Extent,
    instance_source: str | None,
    max_pixels: int,
) -> float | None:
    """How well the borders of an instance map agree with those of its label map."""
    if instance_source is None:
        return None
    try:
        file, image = open_image(instance_source, max_pixels)
        with decoding(instance_source):
            check_same_grid(extent_of(file, image), extent)
            return border_agreement(label_map, label_values(image, file).preferred)
    except UnreadableImageError:
        # The scene will fail for it.
        return None


def sample_of(ids: Sequence[str]) -> list[str]:
    """At most ``SAMPLE_SIZE`` of some ids, spread evenly over them."""
    count = min(SAMPLE_SIZE, len(ids))
    chosen = np.linspace(0, len(ids) - 1, count).round().astype(int).tolist()
    return [ids[index] for index in chosen]


def examine_label_maps(
    label_maps: Mapping[str, str],
    photos: Mapping[str, str] | None,
    max_pixels: int,
    instances: Mapping[str, str] | None = None,
) -> tuple[list[LabelMapFinding], list[str]]:
    """Examine a sample of a set, whose sources are given by id; see ``sample_of``.

    Returns:
        What the label maps show, and why others of the sample cannot be read.
    """

    def examine(id: str) -> LabelMapFinding | str:
        try:
            return examine_label_map(
                label_maps[id], (photos or {}).get(id), (instances or {}).get(id), max_pixels
            )
        except UnreadableImageError as error:
            return str(error)

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(examine, sample_of(list(label_maps))))
    findings = [each for each in results if isinstance(each, LabelMapFinding)]
    return findings, [each for each in results if isinstance(each, str)]


def conventions_of(
    findings: Iterable[LabelMapFinding],
    grid: Grid | None = None,
    scaling: Scaling | None = None,
    refused_values: Mapping[int, str] | None = None,
) -> LabelConventions:
    """The conventions of a set, from what a sample of its label maps shows.

    What the user says of ``grid`` and ``scaling`` comes first. ``refused_values`` are values
    that no label map may have, with the reason.
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
        len(findings),
        refused_values or {},
        _borders_agree(findings),
    )


def _borders_agree(findings: Sequence[LabelMapFinding]) -> bool:
    """Whether the borders of nearly all instance maps are those of their label maps."""
    known = [finding.agreement for finding in findings if finding.agreement is not None]
    return len(known) >= ENOUGH_EXAMINED and float(np.quantile(known, 0.1)) >= CLOSE_AGREEMENT
