"""The settings of the jobs, one class for each group of them.

A setting is added here and nowhere else: its flag, its YAML key, its line in ``--help``, its entry
in docs/configuration.md and its part in the identity of image sets follow from the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo

from spadepis.configuration import CommaSeparated, Configuration, Size
from spadepis.dataset.image_set.splits import check_split_rule
from spadepis.labels.custom import LABEL_SPACE_CHOICES, LabelSpaceSetting
from spadepis.pipeline.config.job import Job

SYNTHESIZING = (Job.SYNTHESIZE, Job.SYNTHESIZE_AND_STYLIZE)
STYLIZING = (Job.STYLIZE, Job.SYNTHESIZE_AND_STYLIZE)


@dataclass(frozen=True)
class Setting:
    """What sets a setting apart from the others of its group.

    Attributes:
        jobs: the jobs that have the setting. Default: those of its group.
        needed_by: the jobs that cannot do without a value.
        unused_by: the jobs that accept the setting because version 0.1 did, to no effect.
        identity: whether the setting is part of the identity of an image set, because images
            depend on it. Default: as its group says.
    """

    jobs: Sequence[Job] | None = None
    needed_by: Sequence[Job] = ()
    unused_by: Sequence[Job] = ()
    identity: bool | None = None


class Group(Configuration):
    """A group of settings; a setting that a job does not have keeps its default.

    Attributes:
        name: name of the attribute of ``JobConfig`` that holds the group.
        heading: the heading in ``--help`` and in docs/configuration.md.
        jobs: the jobs that have these settings.
        identity: whether these settings are part of the identity of an image set.
    """

    name: ClassVar[str]
    heading: ClassVar[str]
    jobs: ClassVar[Sequence[Job]] = tuple(Job)
    identity: ClassVar[bool] = True

    @classmethod
    def settings_of(cls, job: Job) -> dict[str, FieldInfo]:
        """The settings of the group that a job has."""
        return {name: field for name, field in cls.model_fields.items() if job in cls.jobs_of(name)}

    @classmethod
    def jobs_of(cls, name: str) -> Sequence[Job]:
        """The jobs that have the setting of that name."""
        jobs = cls._mark(name).jobs
        return cls.jobs if jobs is None else jobs

    @classmethod
    def is_needed(cls, name: str, job: Job) -> bool:
        """Whether a job cannot do without a value of the setting."""
        return job in cls._mark(name).needed_by

    @classmethod
    def is_used(cls, name: str, job: Job) -> bool:
        """Whether the setting has any effect on a job."""
        return job in cls.jobs_of(name) and job not in cls._mark(name).unused_by

    @classmethod
    def is_identity(cls, name: str) -> bool:
        """Whether the setting is part of the identity of an image set."""
        identity = cls._mark(name).identity
        return cls.identity if identity is None else identity

    @classmethod
    def _mark(cls, name: str) -> Setting:
        marks = [mark for mark in cls.model_fields[name].metadata if isinstance(mark, Setting)]
        return marks[0] if marks else Setting()


MINUTES_OF_A_YEAR = 365 * 24 * 60

# A setting that chooses among the inputs: what is chosen shows in the image set itself.
CHOICE = Setting(identity=False)
OF_STYLES = Setting(unused_by=(Job.SYNTHESIZE,))
SplitRule: TypeAlias = Annotated[CommaSeparated, AfterValidator(check_split_rule)]


class InputSettings(Group):
    """Where label maps and photos are, and which of them are used."""

    name = "inputs"
    heading = "Inputs"

    masks: Annotated[str | None, Setting(needed_by=SYNTHESIZING)] = None
    """Label maps: a folder, searched recursively, a glob, or shards (Parquet or tar)."""
    instances: str | None = None
    """Instance maps: a folder, glob or shards with the same relative names as the label maps."""
    photos: Annotated[str | None, Setting(jobs=(Job.STYLIZE,), needed_by=(Job.STYLIZE,))] = None
    """Photos to stylize: a folder, glob or shards."""
    deblock: Annotated[bool, Setting(jobs=(Job.STYLIZE,))] = False
    """Remove the blocks of photos in which JPEG compression left visible ones, before they are
    stylized. Photos without visible blocks, and styles, stay as they are."""
    dataset: Annotated[Literal["coco-stuff", "ade20k", "cityscapes"] | None, CHOICE] = None
    """Published dataset. It fills in --label-space, and the inputs that the job needs and that are
    not given."""
    root: Annotated[str | None, CHOICE] = None
    """Folder of the dataset, laid out as published."""
    split: Annotated[str | None, CHOICE] = None
    """Split of the dataset: train2017 or val2017; training or validation; train, val or test."""
    where: Annotated[CommaSeparated | None, CHOICE] = None
    """Use only masks (or photos) whose ids match one of these globs, separated by commas:
    'aachen/*,bremen/*'."""
    containing_classes: Annotated[CommaSeparated | None, CHOICE] = None
    """Use only scenes whose label map has all of these classes, separated by commas: 'car,road'.
    This reads every label map once."""
    label_grid: Literal["stored", "displayed"] | None = None
    """Whether label maps lie on their photos as stored or as turned for display by EXIF. Default:
    that which their sizes allow or, where both are possible, that of the other pairs of the set."""
    label_scaling: Literal["raw", "full"] | None = None
    """How the label values of files with fewer than 8 bits are meant: raw numbers, or scaled to
    the full range by a program. Default: the reading that fits the label space and the set."""
    accept_implausible: Annotated[bool, CHOICE] = False
    """Run the job even if the label maps do not look like those of the label space, or if no id of
    an input matches."""
    limit: Annotated[int | None, CHOICE] = Field(default=None, ge=1)
    """Use at most this many masks (or photos), the first ones."""
    label_space: LabelSpaceSetting = Field(
        default="coco-stuff",
        description=f"What the values of the label maps mean: {LABEL_SPACE_CHOICES}.",
    )
    max_pixels: int = Field(default=50_000_000, ge=1, le=80_000_000)
    """Input files with more pixels than this are refused."""


class StyleSettings(Group):
    """Which styles each label map or photo gets, and how much of them."""

    name = "styles"
    heading = "Styles"
    jobs = STYLIZING

    styles: Annotated[str | None, Setting(needed_by=STYLIZING)] = None
    """Style photos: a folder, glob or shards."""
    style_masks: str | None = None
    """Label maps of the style photos: a folder, glob or shards with the same relative names."""
    pairing: Literal["random", "match", "all", "table"] = "random"
    """Which styles each mask (or photo) gets: random ones, those whose content matches its own
    best, all, or those of a table."""
    styles_per_mask: int = Field(default=1, ge=1)
    """How many styles each mask (or photo) gets with --pairing random or match."""
    match_diversity: float = Field(default=0.3, ge=0, le=1)
    """With --pairing match: how much the similarity to a style already chosen counts against
    another; 0 ignores it."""
    pairing_table: Annotated[str | None, CHOICE] = None
    """CSV or Parquet file with the columns mask_id and style_id, for --pairing table. Masks (or
    photos) that are not in it are left out."""
    region_guidance: Literal["fallback", "published", "none"] = "fallback"
    """With --style-masks, every class takes the style of the same class. A class that the style
    lacks takes the style of the whole photo (fallback) or none (published). With none, regions are
    ignored."""
    related_classes: str | None = None
    """YAML file with groups of classes that count as one, e.g. '- [sea, river]', or none for no
    groups. Default: the groups that come with spadepis for the published label spaces."""
    style_strength: float = Field(default=1.0, ge=0, le=1)
    """How much of the style a result takes: 1 is the published method, and at 0 the content is
    only encoded and decoded."""
    longest_style_side: int = Field(default=512, ge=16)
    """Style photos with a longer side than this are shrunk to it."""


class OutputSettings(Group):
    """What is written, where, and in which form."""

    name = "output"
    heading = "Output"

    output: Annotated[str, Setting(needed_by=tuple(Job), identity=False)] = ""
    """Folder of the image set. A job that was stopped resumes when it is started again."""
    dry_run: Annotated[bool, CHOICE] = False
    """Check the inputs and print what would be made, without writing anything."""
    check: Annotated[bool, CHOICE] = True
    """When the job starts and when it ends, compare the listing of the image set with its commit
    log. What is missing or has another size at the start is done again; at the end the job says so
    and ends with status 1."""
    repair: Annotated[bool, CHOICE] = False
    """When the job starts, read the image set back as spadepis inspect --verify does. What is
    damaged is done again."""
    size: Size | Literal["source"] | None = None
    """Size of the results, WIDTHxHEIGHT, or source for that of each label map or photo. Default:
    that of the published network for label maps, source for photos."""
    longest_side: int | None = Field(default=None, ge=16)
    """With --size source, label maps and photos with a longer side are shrunk to this, label maps
    by nearest neighbour. Default: 1024 for photos, no limit for label maps."""
    seed: Annotated[int, OF_STYLES] = 0
    """Seed of the random choice of styles."""
    output_format: Literal["files", "parquet"] = "files"
    """Form of the image set: one file for each image, or Parquet shards that hold the images."""
    image_format: Literal["jpg", "png"] = "jpg"
    """Format of the results."""
    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """Quality of results in JPEG."""
    keep_contents: Annotated[bool, OF_STYLES] = True
    """Also write the photos before stylization, into contents/."""
    keep_instances: bool = False
    """Also write the instance maps at the size of the results, into instances/."""
    split_by: Annotated[SplitRule | None, CHOICE] = None
    """Split the image set into train and validation, by scene: the share of scenes for validation,
    such as 0.1, or globs of their ids, with commas between them."""
    log_format: Annotated[Literal["text", "json"], CHOICE] = "text"
    """Form of the log: lines for people, or JSON objects with time, level, logger and message."""


class NetworkSettings(Group):
    """The networks and how they compute."""

    name = "networks"
    heading = "Networks"

    checkpoints: Annotated[str | None, Setting(identity=False)] = None
    """Folder or URI of the published checkpoints, for those of the next two that are not given:
    coco_pretrained/latest_net_G.pth and the like as SPADE released them, and photo_wct.pth."""
    # In the identity of an image set stands the SHA-256 of a checkpoint, not its name.
    spade_checkpoint: Annotated[str | None, Setting(jobs=SYNTHESIZING, identity=False)] = None
    """Weights of the SPADE generator: a published latest_net_G.pth, or safetensors.
    Default: a small model for coco-stuff that comes with spadepis; it serves ade20k and
    cityscapes too, whose classes are translated."""
    photowct_checkpoint: Annotated[str | None, Setting(jobs=STYLIZING, identity=False)] = None
    """Weights of PhotoWCT: the published photo_wct.pth, or safetensors.
    Default: a small model that comes with spadepis."""
    content_seed: Annotated[int, Setting(jobs=SYNTHESIZING)] = Field(default=0, ge=0, lt=2**31)
    """Another seed gives each label map another content, if the generator adds noise as the default
    model does; the published ones add none."""
    precision: Literal["auto", "float32", "half"] = "auto"
    """Precision of the networks. With auto they compute in half precision on GPUs, where results
    differ by less than one level of 255 (RMS), and in float32 on CPUs."""


class QualitySettings(Group):
    """Quality metrics, and what happens to results that are rejected or fail."""

    name = "quality"
    heading = "Quality and failures"

    quality: bool = True
    """Compute quality metrics of every result, columns of the metadata: see docs/quality.md."""
    reject: CommaSeparated | None = None
    """Drop results beyond one of these thresholds: 'clipped>0.2,sharpness<5'. Which metrics a job
    computes is in docs/quality.md."""
    replace_rejected: Annotated[bool, Setting(jobs=STYLIZING, identity=False)] = False
    """Where a result was rejected, draw another style for that mask (or photo), at most eight
    times."""
    max_failed_fraction: Annotated[float, CHOICE] = Field(default=0.01, ge=0, le=1)
    """The exit status is 3 if a larger fraction of the pairs has failed."""
    retry_failed: Annotated[bool, CHOICE] = False
    """Try again the pairs that failed in an earlier run."""


class StorageSettings(Group):
    """How object stores are reached."""

    name = "storage"
    heading = "Storage"
    identity = False

    s3_endpoint: str | None = None
    """URL of the service behind s3:// paths. Default: that of the environment, or Amazon's."""
    s3_anonymous: bool = False
    """Send unsigned requests to S3, for public data."""


class MachineSettings(Group):
    """Where and by how many workers the stages are run."""

    name = "machines"
    heading = "Machines"
    identity = False

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the networks run. With auto they run on GPUs if the cluster has any."""
    smoothing_device: Annotated[Literal["auto", "cpu", "cuda"], Setting(jobs=STYLIZING)] = "auto"
    """Where the smoothing runs. With auto it runs on GPUs if that makes the job faster."""
    synthesis_workers: Annotated[int | None, Setting(jobs=SYNTHESIZING)] = Field(default=None, ge=1)
    """Number of workers of synthesis. Default: from the resources of the cluster."""
    stylization_workers: Annotated[int | None, Setting(jobs=STYLIZING)] = Field(default=None, ge=1)
    """Number of workers of stylization. Default: from the resources of the cluster."""
    smoothing_workers: Annotated[int | None, Setting(jobs=STYLIZING)] = Field(default=None, ge=1)
    """Number of workers of smoothing. Default: from the resources of the cluster."""
    stall_minutes: float = Field(default=30.0, gt=0, le=MINUTES_OF_A_YEAR)
    """A worker has stalled if it takes this much longer than expected for its scenes. It is ended,
    and each of its scenes is tried by itself, as after a crash."""
    cluster_cpus: int | None = Field(default=None, ge=1)
    """CPUs that the cluster at RAY_ADDRESS may grow to. Default: those it has at the start."""
    cluster_gpus: int | None = Field(default=None, ge=0)
    """GPUs that the cluster at RAY_ADDRESS may grow to. Default: those it has at the start."""


GROUPS: Sequence[type[Group]] = (
    InputSettings,
    StyleSettings,
    OutputSettings,
    NetworkSettings,
    QualitySettings,
    StorageSettings,
    MachineSettings,
)


def default_settings() -> dict[str, Any]:
    """The default of each setting, by name."""
    return {name: field.default for group in GROUPS for name, field in group.model_fields.items()}
