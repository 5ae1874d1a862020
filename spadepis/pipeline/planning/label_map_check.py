"""What a sample of the label maps of a job shows: sizes, classes, and whether they seem right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from spadepis.dataset.inputs.conventions import ENOUGH_EXAMINED
from spadepis.dataset.inputs.examination import LabelMapFinding
from spadepis.labels.label_space import UNKNOWN_CLASSES, LabelSpace
from spadepis.labels.numbering import find_misnumbering, suspect_misnumbering
from spadepis.pipeline.planning.trial_reading import names_by_value

# Of the median of a sample of instance maps; measured on real ones: at least 0.8 for right ones, at
# most 0.3 for mirrored ones, crops of nine tenths from a corner, and those of other images.
LEAST_AGREEMENT = 0.4
_SHOWN_CLASSES = 8
_SHOWN_SIZES = 4


@dataclass(frozen=True)
class LabelMapCheck:
    """What a sample of the label maps shows.

    Attributes:
        total: how many label maps there are.
        examined: how many were looked at.
        sampled: those of them that could be read.
        limit: how many of them the job takes at most; None if it takes all.
        shares: share of all pixels that each class has, the largest first.
        unknown: share of the pixels that are of no known class.
        misnumbering: why they are not of the label space of the job, if they seem not to be.
        suspicion: the same, where label maps are too few to be certain.
        agreement: how well the borders of the instance maps agree with those of the label maps, the
            median of the sample; None if there are too few.
    """

    total: int
    examined: int
    sampled: Sequence[LabelMapFinding]
    limit: int | None
    shares: Mapping[str, float]
    unknown: float
    misnumbering: str | None
    suspicion: str | None = None
    agreement: float | None = None


def check_label_maps(
    label_space: LabelSpace,
    sampled: Sequence[LabelMapFinding],
    examined: int,
    total: int,
    limit: int | None = None,
) -> LabelMapCheck:
    """What some of all label maps show if they are of a label space; see ``LabelMapCheck``."""
    names = names_by_value(label_space)
    pixels: Counter[str | None] = Counter()
    for each in sampled:
        for value, count in each.pixels_by_value.items():
            pixels[names.get(value)] += count
    all_pixels = pixels.total()
    shares = {name: count / all_pixels for name, count in pixels.most_common() if name is not None}
    unknown = sum(share for name, share in shares.items() if name in UNKNOWN_CLASSES)
    histograms = {each.source: each.pixels_by_value for each in sampled}
    heights = {each.source: each.heights for each in sampled}
    misnumbering = find_misnumbering(label_space, histograms, heights)
    suspicion = None
    if misnumbering is None:
        suspicion = suspect_misnumbering(label_space, histograms, heights)
    agreements = [each.agreement for each in sampled if each.agreement is not None]
    agreement = median(agreements) if len(agreements) >= ENOUGH_EXAMINED else None
    return LabelMapCheck(
        total, examined, sampled, limit, shares, unknown, misnumbering, suspicion, agreement
    )


def label_map_lines(found: LabelMapCheck) -> list[str]:
    """What was found, for people: one line for each subject."""
    lines = [f"{found.examined:,} of {found.total:,} label maps were examined"]
    if found.limit is not None and found.limit < found.total:
        lines[0] += f"; --limit takes at most {found.limit:,} of them"
    if not found.sampled:
        return lines
    sizes = Counter(each.extent.size for each in found.sampled)
    ratios = [width / height for height, width in sizes]
    lines.append(
        f"sizes: {_sizes(sizes)}; width to height from {min(ratios):.2f} to {max(ratios):.2f}"
    )
    shown = list(found.shares.items())[:_SHOWN_CLASSES]
    classes = ", ".join(f"{name} {share:.1%}" for name, share in shown)
    more = ", ..." if len(found.shares) > _SHOWN_CLASSES else ""
    lines.append(f"{len(found.shares)} classes: {classes}{more}")
    lines.append(f"unknown: {found.unknown:.1%} of the pixels")
    if found.agreement is not None:
        agreement = max(0.0, found.agreement)
        lines.append(f"borders of label maps and instance maps agree to {agreement:.0%}")
    return lines


def _sizes(sizes: Counter[tuple[int, int]]) -> str:
    shown = ", ".join(
        f"{width}x{height} ({count})" for (height, width), count in sizes.most_common(_SHOWN_SIZES)
    )
    others = len(sizes) - _SHOWN_SIZES
    return f"{shown} and {others} more" if others > 0 else shown
