"""What the inputs of a job look like, checked on a sample before any work.

A job on the wrong label maps ends without an error and makes nonsense. What gives them away is
seen in a sample of the label maps, and in how many ids the inputs have in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from spadepis.configuration import ConfigurationError, flag
from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.inputs.examination import (
    LabelMapFinding,
    conventions_of,
    examine_label_maps,
)
from spadepis.dataset.inputs.listing import Listing
from spadepis.labels.numbering import unlabelled_values
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.class_survey import Classes
from spadepis.pipeline.planning.inputs import Inputs
from spadepis.pipeline.planning.label_map_check import (
    LEAST_AGREEMENT,
    LabelMapCheck,
    check_label_maps,
    label_map_lines,
)
from spadepis.pipeline.planning.trial_reading import TrialReading, try_reading

REMEDY = "If the inputs are what you mean, give --accept-implausible"


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
    def of_styles(self) -> bool:
        """Whether the input belongs to styles, not to scenes."""
        return self.owners == "styles"

    @property
    def warnings(self) -> list[str]:
        """How many have none and will fail, in a line, if any do."""
        return [self.text] if self.missing else []

    @property
    def text(self) -> str:
        """The coverage for people."""
        found = self.total - len(self.missing)
        text = f"{found:,} of {self.total:,} {self.owners} have {self.kind}"
        if not self.missing:
            return text
        return f"{text}; {len(self.missing):,} have none and will fail, e.g. {self.missing[0]!r}"


@dataclass(frozen=True)
class InputCheck:
    """The inputs of a job, checked.

    Attributes:
        label_maps: what the label maps show, if there are any.
        coverages: how many scenes or styles have the inputs that belong to them.
        trials: the label maps of scenes and of styles that were read as the job will read them.
        classes: the classes of each label map of the job, if all of them were read.
        doom: why the job would end as one with too many failed pairs, if it would.
        conventions: how the label maps are read where a file leaves it open.
        style_conventions: the same of the label maps of styles.
    """

    label_maps: LabelMapCheck | None
    coverages: Sequence[Coverage]
    trials: Sequence[TrialReading] = ()
    classes: Classes | None = None
    doom: str | None = None
    conventions: LabelConventions = UNKNOWN_CONVENTIONS
    style_conventions: LabelConventions = UNKNOWN_CONVENTIONS

    @property
    def warnings(self) -> list[str]:
        """What will fail, one line for each reason, and what is suspicious."""
        # What is said of too many failures belongs to the scenes.
        failing: list[Coverage | TrialReading] = [*self.coverages, *self.trials]
        failing.sort(key=lambda each: not each.of_styles)
        warnings = [line for each in failing for line in each.warnings]
        if self.doom is not None:
            warnings[-1] += f"; {self.doom}"
        found = self.label_maps
        if found is not None and found.suspicion is not None:
            warnings.append(
                f"{found.suspicion}, or the YAML file of your own classes; they are too few to be "
                "certain"
            )
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
        found = self.label_maps
        if found is not None and found.misnumbering is not None:
            problems.append(found.misnumbering)
        else:
            problems += [each.problem for each in self.trials if each.problem is not None]
        agreement = None if found is None else found.agreement
        if agreement is not None and agreement < LEAST_AGREEMENT:
            problems.append(
                "the instance maps are not those of the label maps, for their borders agree to "
                f"{max(0.0, agreement):.0%}: they may be cropped, turned, or of other images"
            )
        return problems


def check_inputs(config: JobConfig, inputs: Inputs, ids: Sequence[str]) -> InputCheck:
    """Read a sample of the label maps of scenes with some ids, and compare the ids of inputs."""
    label_maps = classes = None
    conventions = style_conventions = UNKNOWN_CONVENTIONS
    given, space = config.inputs, config.label_space
    scene_ids = ids[: given.limit]
    trials = []
    if inputs.masks is not None:
        photos = None if inputs.photos is None else _of(inputs.photos, ids)
        instances = None if inputs.instances is None else _of(inputs.instances, ids)
        sources = _of(inputs.masks, ids)
        findings, unreadable = examine_label_maps(sources, photos, given.max_pixels, instances)
        conventions = _conventions(config, findings)
        examined = len(findings) + len(unreadable)
        label_maps = check_label_maps(space, findings, examined, len(sources), given.limit)
        trial = try_reading(sources, findings, space, given.max_pixels, conventions)
        if trial.is_whole:
            read = trial.readings
            classes = {id: read[id].classes if id in read else None for id in ids}
        # The wanted classes decide which scenes --limit takes.
        trials.append(trial if config.wanted_classes else trial.of(scene_ids))
    if inputs.style_masks is not None and inputs.styles is not None:
        of_styles = inputs.style_masks.images
        photos_of_styles = _of(inputs.styles, of_styles)
        findings, _ = examine_label_maps(of_styles, photos_of_styles, given.max_pixels)
        style_conventions = _conventions(config, findings)
        trial = try_reading(of_styles, findings, space, given.max_pixels, style_conventions)
        trials.append(replace(trial, of_styles=True))
    coverages = _coverages(config, inputs, scene_ids)
    doom = None
    # Otherwise not all of these scenes are made.
    if not config.wanted_classes and config.styles.pairing != "table":
        trial_of_scenes = trials[0] if inputs.masks is not None else None
        doom = _doom(coverages, trial_of_scenes, scene_ids, config.quality.max_failed_fraction)
    return InputCheck(label_maps, coverages, trials, classes, doom, conventions, style_conventions)


def _conventions(config: JobConfig, findings: Sequence[LabelMapFinding]) -> LabelConventions:
    given = config.inputs
    refused = {}
    if not given.accept_implausible:
        values = unlabelled_values(config.label_space)
        refused = {value: f"{reason}. {REMEDY}" for value, reason in values.items()}
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


def _doom(
    coverages: Sequence[Coverage], trial: TrialReading | None, ids: Sequence[str], allowed: float
) -> str | None:
    """Why a job would end with too many failed pairs: scenes that will fail are enough."""
    failing = {id for each in coverages if each.setting != "style_masks" for id in each.missing}
    of_sample = 0.0
    if trial is not None and trial.readings:
        failing |= trial.failing.keys()
        of_sample = len(trial.failing) / len(trial.readings)
    more = (
        f"more than --max-failed-fraction {allowed:g} allows: the job would end with exit status 3"
    )
    if len(failing) > allowed * len(ids):
        return f"so many failures are {more}"
    if of_sample > allowed:
        return f"if as many of the others fail, they are {more}"
    return None


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
        lines += label_map_lines(check.label_maps)
    return lines + [each.text for each in check.coverages if not each.missing]


def _of(listing: Listing, ids: Iterable[str]) -> dict[str, str]:
    """The sources of ids, as far as they exist."""
    found = {id: listing.find(id) for id in ids}
    return {id: source for id, source in found.items() if source is not None}


def _missing(ids: Sequence[str], listing: Listing) -> list[str]:
    return [id for id in ids if listing.find(id) is None]
