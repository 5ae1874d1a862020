"""The configuration of a job, with all that follows from its settings found out once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from spadepis.configuration import ConfigurationError, explain, flag, parse_size, similar
from spadepis.dataset.inputs.published_folders import LAYOUTS, LayoutError
from spadepis.dataset.storage.credentials import CredentialsError, refuse_credentials
from spadepis.dataset.storage.filesystems import s3_environment, storage_environment
from spadepis.labels import LabelSpace, no_such_class
from spadepis.labels.custom import find_label_space
from spadepis.labels.related_classes import find_region_labels
from spadepis.pipeline.config import groups
from spadepis.pipeline.config.groups import (
    InputSettings,
    MachineSettings,
    NetworkSettings,
    OutputSettings,
    QualitySettings,
    StorageSettings,
    StyleSettings,
)
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.models import find_models
from spadepis.quality.metrics import metrics_of
from spadepis.quality.thresholds import Threshold, parse_thresholds

if TYPE_CHECKING:
    # PyArrow takes a while to import, which ``--help`` should not.
    from spadepis.pipeline.stages.stage import StageSpec

# The value of --size for results of the size of their label map or photo.
SOURCE = "source"
LONGEST_SIDE_OF_PHOTOS = 1024
# PhotoWCT takes no smaller photos.
SMALLEST_STYLIZED_SIDE = 16


@dataclass(frozen=True)
class JobConfig:
    """What a job is to do: its settings, and what follows from them.

    Attributes:
        job: what is made.
        given: the values of settings that it was resolved from.
        inputs: what is read; of a published dataset, the folders are filled in.
        styles: which styles each mask (or photo) gets.
        output: what is written.
        networks: the checkpoints; those that the job needs and that were not given are filled in.
        quality: metrics, rejection and failures.
        storage: how object stores are reached.
        machines: where the stages run.
        label_space: what the values of label maps mean.
        generator_space: label space that the generator was trained for.
        generator_classes: its class for each class of the label maps, by class index; None if they
            are the same.
        size: height and width of the results; None for label maps or photos that keep their own.
        longest_side: those that keep their own are shrunk to this; None for no limit.
        id_globs: the globs one of which the id of a scene must match to be used; None for all.
        wanted_classes: the classes that the label map of a scene must have to be used.
        region_labels: the region of each class by class index, where regions guide the styles.
        matched_labels: the same, where styles are matched to scenes.
        thresholds: what the quality metrics of a result have to meet.
        storage_environment: environment variables with which a process reaches the object stores.
        own_stages: stages that take the place of those of the same name.
    """

    job: Job
    given: Mapping[str, Any]
    inputs: InputSettings
    styles: StyleSettings
    output: OutputSettings
    networks: NetworkSettings
    quality: QualitySettings
    storage: StorageSettings
    machines: MachineSettings
    label_space: LabelSpace
    generator_space: LabelSpace
    generator_classes: Sequence[int] | None
    size: tuple[int, int] | None
    longest_side: int | None
    id_globs: Sequence[str] | None
    wanted_classes: Sequence[str]
    region_labels: Sequence[int] | None
    matched_labels: Sequence[int] | None
    thresholds: Sequence[Threshold]
    storage_environment: Mapping[str, str]
    own_stages: Mapping[str, StageSpec] = field(default_factory=dict)


def resolve(job: Job, values: Mapping[str, Any], own_stages: Sequence[StageSpec] = ()) -> JobConfig:
    """The configuration of a job from the values of its settings, by name.

    Stages of the user's own take the place of those of the same name. YAML files that settings name
    are read, from object stores too; no other file is looked at.

    Raises:
        ConfigurationError: a value does not fit, a setting that the job needs is missing, or
            settings do not go together.
    """
    parts = _validate(job, values)
    given = values.keys()
    storage: StorageSettings = parts["storage"]
    environment = s3_environment(storage.s3_endpoint, storage.s3_anonymous)
    styles, output, networks = parts["styles"], parts["output"], parts["networks"]
    keeps_instances = job.synthesizes or output.keep_instances
    inputs = parts["inputs"] = _with_dataset(job, parts["inputs"], given, keeps_instances)
    _check_needed(job, parts)
    _check_pairing(styles, parts["quality"], given)
    with storage_environment(environment):
        space = find_label_space(inputs.label_space)
        region_labels, matched_labels = _find_regions(styles, space)
    _check_regions(inputs, styles, region_labels, given)
    _check_instances(job, inputs, output, space)
    size = _size(job, output, space)
    longest_side = _longest_side(job, output, size)
    wanted_classes = _wanted_classes(inputs, space)
    thresholds = _thresholds(job, inputs, parts["quality"])
    # It logs which models are used, which an error does not follow.
    own = _by_name(own_stages)
    found = find_models(job, networks, space, own)
    parts["networks"], generator_space, generator_classes = found
    return JobConfig(
        job=job,
        given=values,
        **parts,
        label_space=space,
        generator_space=generator_space,
        generator_classes=generator_classes,
        size=size,
        longest_side=longest_side,
        id_globs=None if inputs.where is None else _split(inputs.where),
        wanted_classes=wanted_classes,
        region_labels=region_labels,
        matched_labels=matched_labels,
        thresholds=thresholds,
        storage_environment=environment,
        own_stages=own,
    )


def _validate(job: Job, values: Mapping[str, Any]) -> dict[str, Any]:
    """The groups of settings by name."""
    try:
        for value in values.values():
            if isinstance(value, str):
                refuse_credentials(value)
    except CredentialsError as error:
        raise ConfigurationError(str(error)) from error
    parts: dict[str, Any] = {}
    problems: list[str] = []
    used: set[str] = set()
    for group in groups.GROUPS:
        own = {name: values[name] for name in group.settings_of(job) if name in values}
        used |= own.keys()
        try:
            parts[group.name] = group.model_validate(own)
        except ValidationError as error:
            problems += explain(error)
    problems += [f"{job.value} takes no {flag(name)}" for name in values if name not in used]
    if problems:
        raise ConfigurationError("; ".join(problems))
    return parts


def _with_dataset(
    job: Job, inputs: InputSettings, given: Collection[str], with_instances: bool
) -> InputSettings:
    """The inputs, with those of the published dataset filled in that the job needs."""
    if inputs.dataset is None:
        if inputs.root is not None or inputs.split is not None:
            raise ConfigurationError("--root and --split go with --dataset")
        return inputs
    if inputs.root is None or inputs.split is None:
        raise ConfigurationError("--dataset needs --root and --split")
    if "label_space" in given and inputs.label_space != inputs.dataset:
        raise ConfigurationError(f"--dataset {inputs.dataset} takes no other --label-space")
    try:
        found = LAYOUTS[inputs.dataset].inputs(inputs.root, inputs.split)
    except LayoutError as error:
        raise ConfigurationError(f"--split: {error}") from error
    wanted = {
        kind: uri
        for kind, uri in found.items()
        if kind in inputs.settings_of(job)
        and getattr(inputs, kind) is None
        and (kind != "instances" or with_instances)
    }
    return inputs.model_copy(update={**wanted, "label_space": inputs.dataset})


def _check_needed(job: Job, parts: Mapping[str, Any]) -> None:
    missing = [
        flag(name)
        for group in groups.GROUPS
        for name in group.settings_of(job)
        if group.is_needed(name, job) and getattr(parts[group.name], name) in (None, "")
    ]
    if missing:
        raise ConfigurationError(f"{job.value} needs {', '.join(missing)}")


def _check_pairing(styles: StyleSettings, quality: QualitySettings, given: Collection[str]) -> None:
    chosen = styles.pairing in ("random", "match")
    if not chosen and "styles_per_mask" in given:
        raise ConfigurationError(f"--pairing {styles.pairing} takes no --styles-per-mask")
    if (styles.pairing == "table") != (styles.pairing_table is not None):
        raise ConfigurationError("--pairing table and --pairing-table go together")
    if styles.pairing != "match" and "match_diversity" in given:
        raise ConfigurationError("--match-diversity goes with --pairing match")
    if quality.reject is not None and not quality.quality:
        raise ConfigurationError("--reject needs the metrics of --quality")
    if quality.replace_rejected and (quality.reject is None or not chosen):
        raise ConfigurationError("--replace-rejected needs --reject, and --pairing random or match")


def _by_name(own_stages: Sequence[StageSpec]) -> dict[str, StageSpec]:
    """The user's stages by the names of those that they take the place of."""
    if not own_stages:
        return {}
    # It takes a while to import.
    from spadepis.pipeline.stages.declarations import STAGES

    own: dict[str, StageSpec] = {}
    names = [stage.name for stage in STAGES]
    for stage in own_stages:
        name = stage.declaration.name
        if name not in names:
            raise ConfigurationError(f"there is no stage {name} to replace{similar(name, names)}")
        if own.setdefault(name, stage) is not stage:
            raise ConfigurationError(f"two stages of your own are named {name}")
    return own


def _find_regions(
    styles: StyleSettings, space: LabelSpace
) -> tuple[Sequence[int] | None, Sequence[int] | None]:
    """The region of each class, for guidance and for matching, each if it is used."""
    guided = styles.style_masks is not None and styles.region_guidance != "none"
    matched = styles.pairing == "match"
    if not guided and not matched:
        return None, None
    try:
        labels = find_region_labels(space, styles.related_classes)
    except ConfigurationError as error:
        raise ConfigurationError(f"--related-classes: {error}") from error
    return labels if guided else None, labels if matched else None


def _check_regions(
    inputs: InputSettings,
    styles: StyleSettings,
    region_labels: Sequence[int] | None,
    given: Collection[str],
) -> None:
    """Regions need label maps on both sides."""
    if styles.style_masks is None and "region_guidance" in given:
        raise ConfigurationError("--region-guidance needs --style-masks")
    if styles.style_masks is not None and inputs.masks is None:
        raise ConfigurationError("--style-masks needs --masks, the label maps of the photos")
    unused = region_labels is None and styles.pairing != "match"
    if styles.related_classes is not None and unused:
        raise ConfigurationError(
            "--related-classes goes with --style-masks and --region-guidance, or with --pairing "
            "match"
        )


def _check_instances(
    job: Job, inputs: InputSettings, output: OutputSettings, space: LabelSpace
) -> None:
    """Instance maps are there for instance edges, or to be kept."""
    if inputs.instances is None:
        if output.keep_instances:
            raise ConfigurationError("--keep-instances needs --instances")
        return
    if inputs.masks is None:
        raise ConfigurationError("--instances needs --masks, the label maps of the photos")
    if not output.keep_instances and not (job.synthesizes and space.has_instance_edges):
        user = f"the label space {space.name}" if job.synthesizes else job.value
        raise ConfigurationError(f"{user} takes --instances only with --keep-instances")


def _wanted_classes(inputs: InputSettings, space: LabelSpace) -> Sequence[str]:
    if inputs.containing_classes is None:
        return ()
    if inputs.masks is None:
        raise ConfigurationError("--containing-classes needs --masks")
    names = _split(inputs.containing_classes)
    for name in names:
        if name not in space.names:
            raise ConfigurationError(f"--containing-classes: {no_such_class(space, name)}")
    return names


def _split(text: str) -> list[str]:
    """The parts of a text with commas between them."""
    return [part.strip() for part in text.split(",")]


def _thresholds(job: Job, inputs: InputSettings, quality: QualitySettings) -> Sequence[Threshold]:
    if quality.reject is None:
        return ()
    try:
        metrics = metrics_of(job.stylizes, inputs.masks is not None)
        return parse_thresholds(quality.reject, metrics)
    except ValueError as error:
        raise ConfigurationError(f"--reject: {error}") from error


def _size(job: Job, output: OutputSettings, space: LabelSpace) -> tuple[int, int] | None:
    """Height and width of the results, if they are the same for all."""
    if output.size == SOURCE:
        return None
    if output.size is not None:
        height, width = parse_size(output.size)
    elif job.synthesizes:
        height, width = space.size
    else:
        return None
    if job.stylizes and min(height, width) < SMALLEST_STYLIZED_SIDE:
        raise ConfigurationError(
            f"--size {width}x{height}: {job.value} needs sides of {SMALLEST_STYLIZED_SIDE} or more"
        )
    return height, width


def _longest_side(job: Job, output: OutputSettings, size: tuple[int, int] | None) -> int | None:
    """The longest side of results that keep the size of their label map or photo."""
    if output.longest_side is not None and size is not None:
        raise ConfigurationError("--longest-side goes with --size source")
    if output.longest_side is None and not job.synthesizes:
        return LONGEST_SIDE_OF_PHOTOS
    return output.longest_side
