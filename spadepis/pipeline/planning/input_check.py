"""What the inputs of a job look like, checked on a sample before any work.

A job on the wrong label maps ends without an error and makes nonsense. What gives them away is
seen in a sample of the label maps, and in how many ids the inputs have in common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from spadepis.configuration import ConfigurationError, flag
from spadepis.dataset.inputs.conventions import (
    ENOUGH_EXAMINED,
    UNKNOWN_CONVENTIONS,
    LabelConventions,
)
from spadepis.dataset.inputs.examination import (
    LabelMapFinding,
    conventions_of,
    examine_label_maps,
)
from spadepis.dataset.inputs.listing import Listing
from spadepis.labels.label_space import UNKNOWN_CLASSES, LabelSpace
from spadepis.labels.numbering import (
    LICENSE_PLATES,
    find_misnumbering,
    suspect_misnumbering,
)
from spadepis.labels.published import CITYSCAPES
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.inputs import Inputs

REMEDY = "If the inputs are what you mean, give --accept-implausible"
# Of the median of a sample of instance maps; measured on real ones: at least 0.8 for right ones, at
# most 0.3 for mirrored ones, crops of nine tenths from a corner, and those of other images.
LEAST_AGREEMENT = 0.4
_SHOWN_CLASSES = 8
_SHOWN_SIZES = 4


@dataclass(frozen=True)
class Coverage:
    """How many scenes, or styles, have the input of a kind that belongs to them.

    Attributes:
        setting: where the input comes from, e.g. "instances".
        owners: what the input belongs to, e.g. "label maps".
        kind: what the input is, e.g. "an instance map".
        total: how many owners there are.
        missing: ids of the owners that lack the input.
    """

    setting: str
    owners: str
    kind: str
    total: int
    missing: Sequence[str]

    @property
    def text(self) -> str:
        """The coverage for people."""
        found = self.total - len(self.missing)
        text = f"{found:,} of {self.total:,} {self.owners} have {self.kind}"
        if not self.missing:
            return text
        return f"{text}; {len(self.missing):,} have none and will fail, e.g. {self.missing[0]!r}"


@dataclass(frozen=True)
class LabelMapCheck:
    """What a sample of the label maps shows.

    Attributes:
        total: how many label maps there are.
        sampled: those that were read.
        unreadable: why others of the sample could not be read.
        shares: share of the pixels of each class found, the largest first.
        unknown: share of the pixels that are of no known class.
        misnumbering: why they are not of the label space of the job, if they seem not to be.
        suspicion: the same, where label maps are too few to be certain.
        agreement: how well the borders of the instance maps agree with those of the label maps, the
            median of the sample; None if there are too few.
    """

    total: int
    sampled: Sequence[LabelMapFinding]
    unreadable: Sequence[str]
    shares: Mapping[str, float]
    unknown: float
    misnumbering: str | None
    suspicion: str | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class InputCheck:
    """The inputs of a job, checked.

    Attributes:
        label_maps: what the label maps show, if there are any.
        coverages: how many scenes or styles have the inputs that belong to them.
        doom: why the job would end as one with too many failed pairs, if it surely would.
        conventions: how the label maps are read where a file leaves it open.
        style_conventions: the same of the label maps of styles.
    """

    label_maps: LabelMapCheck | None
    coverages: Sequence[Coverage]
    doom: str | None = None
    conventions: LabelConventions = UNKNOWN_CONVENTIONS
    style_conventions: LabelConventions = UNKNOWN_CONVENTIONS

    @property
    def warnings(self) -> list[str]:
        """What will fail, one line for each kind of input, and what is suspicious."""
        warnings = [each.text for each in self.coverages if each.missing]
        warnings += [] if self.doom is None else [self.doom]
        found = self.label_maps
        if found is not None and found.suspicion is not None:
            warnings.append(f"{found.suspicion}; they are too few to be certain")
        return warnings

    @property
    def problems(self) -> list[str]:
        """Why the inputs cannot be meant as they were given, one line each."""
        problems = [
            f"0 of {each.total:,} {each.owners} have {each.kind}: no id of {flag(each.setting)} is "
            f"theirs, such as {each.missing[0]!r}"
            for each in self.coverages
            if each.missing and len(each.missing) == each.total
        ]
        if self.label_maps is not None:
            found = self.label_maps
            if found.unreadable and not found.sampled:
                problems.append(f"no label map can be read, e.g. {found.unreadable[0]}")
            if found.misnumbering is not None:
                problems.append(found.misnumbering)
            if found.agreement is not None and found.agreement < LEAST_AGREEMENT:
                problems.append(
                    "the instance maps are not those of the label maps, for their borders agree "
                    f"to {max(0.0, found.agreement):.0%}: they may be cropped, turned, or of other "
                    "images"
                )
        return problems


def check_inputs(config: JobConfig, inputs: Inputs, ids: Sequence[str]) -> InputCheck:
    """Read a sample of the label maps of a job, and compare the ids of its inputs.

    Args:
        config: the configuration, which says what the label maps are.
        inputs: the lists of files.
        ids: ids of the scenes that the job may make.
    """
    label_maps = None
    conventions = style_conventions = UNKNOWN_CONVENTIONS
    if inputs.masks is not None:
        photos = None if inputs.photos is None else inputs.photos.images
        instances = None if inputs.instances is None else inputs.instances.images
        found = {id: inputs.masks.find(id) for id in ids}
        sources = {id: source for id, source in found.items() if source is not None}
        findings, unreadable = examine_label_maps(
            sources, photos, config.inputs.max_pixels, instances
        )
        conventions = _conventions(config, findings)
        label_maps = check_label_maps(config.label_space, findings, unreadable, len(sources))
    if inputs.style_masks is not None and inputs.styles is not None:
        findings, _ = examine_label_maps(
            inputs.style_masks.images, inputs.styles.images, config.inputs.max_pixels
        )
        style_conventions = _conventions(config, findings)
    scene_ids = ids[: config.inputs.limit]
    coverages = _coverages(config, inputs, scene_ids)
    # Otherwise not all of these scenes are made.
    certain = not config.wanted_classes and config.styles.pairing != "table"
    allowed = config.quality.max_failed_fraction
    doom = _doom(coverages, scene_ids, allowed) if certain else None
    return InputCheck(label_maps, coverages, doom, conventions, style_conventions)


def _conventions(config: JobConfig, findings: Sequence[LabelMapFinding]) -> LabelConventions:
    given = config.inputs
    is_cityscapes = config.label_space == CITYSCAPES and not given.accept_implausible
    refused = {255: f"it holds {LICENSE_PLATES}. {REMEDY}"} if is_cityscapes else {}
    conventions = conventions_of(findings, given.label_grid, given.label_scaling, refused)
    return replace(conventions, borders_agree=False) if given.accept_implausible else conventions


def _coverages(config: JobConfig, inputs: Inputs, ids: Sequence[str]) -> list[Coverage]:
    scenes = "label maps" if config.job.synthesizes else "photos"
    belonging = (
        ("instances", scenes, "an instance map", ids, inputs.instances),
        ("masks", scenes, "a label map", ids, inputs.masks),
        ("style_masks", "styles", "a label map", inputs.style_ids, inputs.style_masks),
    )
    return [
        Coverage(setting, owners, kind, len(all_ids), _missing(all_ids, listing))
        for setting, owners, kind, all_ids, listing in belonging
        if listing is not None and listing is not inputs.scenes
    ]


def _doom(coverages: Sequence[Coverage], ids: Sequence[str], allowed: float) -> str | None:
    """Why a job would end with too many failed pairs: scenes that lack an input are enough."""
    lacking = {id for each in coverages if each.setting != "style_masks" for id in each.missing}
    if len(lacking) <= allowed * len(ids):
        return None
    return (
        f"so many failures are more than --max-failed-fraction {allowed:g} allows: the job would "
        "end with exit status 3"
    )


def check_label_maps(
    label_space: LabelSpace,
    sampled: Sequence[LabelMapFinding],
    unreadable: Sequence[str],
    total: int,
) -> LabelMapCheck:
    """What a sample of label maps shows, if they are of a label space.

    Args:
        label_space: label space of the job.
        sampled: label maps.
        unreadable: why others of the sample could not be read.
        total: how many label maps there are.
    """
    names = dict(zip(label_space.raw_values, label_space.names, strict=True))
    names |= dict(zip(label_space.published_values, label_space.names, strict=True))
    pixels: Counter[str] = Counter()
    for each in sampled:
        for value, count in each.pixels_by_value.items():
            pixels[names.get(value, f"no class ({value})")] += count
    all_pixels = max(1, pixels.total())
    shares = {name: count / all_pixels for name, count in pixels.most_common()}
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
        total, sampled, unreadable, shares, unknown, misnumbering, suspicion, agreement
    )


def refuse_implausible(config: JobConfig, check: InputCheck) -> None:
    """Stop a job whose inputs cannot be meant as they were given.

    Raises:
        ConfigurationError: they are implausible, and ``--accept-implausible`` was not given.
    """
    if check.problems and not config.inputs.accept_implausible:
        raise ConfigurationError(f"{'; '.join(check.problems)}. {REMEDY}")


def check_text(check: InputCheck) -> list[str]:
    """What was found, for people: one line for each subject. ``warnings`` are not among them."""
    lines: list[str] = []
    if check.label_maps is not None:
        lines += _label_map_lines(check.label_maps)
    return lines + [each.text for each in check.coverages if not each.missing]


def _label_map_lines(found: LabelMapCheck) -> list[str]:
    lines = [f"{len(found.sampled):,} of {found.total:,} label maps were examined"]
    if found.unreadable:
        lines.append(f"{len(found.unreadable):,} cannot be read, e.g. {found.unreadable[0]}")
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


def _missing(ids: Sequence[str], listing: Listing) -> list[str]:
    return [id for id in ids if listing.find(id) is None]
