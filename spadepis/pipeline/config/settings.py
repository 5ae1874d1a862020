"""The configuration of a job: one validated object behind YAML files and command-line flags."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINTS
from spadepis.configuration import Configuration, ConfigurationError, flag
from spadepis.dataset.inputs.published_folders import LAYOUTS, LayoutError
from spadepis.dataset.storage.credentials import refuse_credentials
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LabelSpaceSetting, find_label_space
from spadepis.labels.related_classes import find_region_labels
from spadepis.quality.thresholds import parse_thresholds

log = logging.getLogger(__name__)


class Job(StrEnum):
    """What a job makes."""

    SYNTHESIZE = "synthesize"
    STYLIZE = "stylize"
    SYNTHESIZE_AND_STYLIZE = "synthesize_and_stylize"

    @property
    def synthesizes(self) -> bool:
        """Whether content photos are made from label maps."""
        return self is not Job.STYLIZE

    @property
    def stylizes(self) -> bool:
        """Whether photos get the look of style photos."""
        return self is not Job.SYNTHESIZE


class JobConfig(Configuration):
    """Settings of a job. Every setting is a flag, and a key of a YAML file given by --config."""

    # Errors repeat no value: it may hold credentials.
    model_config = SettingsConfigDict(hide_input_in_errors=True)

    masks: str | None = None
    """Label maps: a folder, searched recursively, a glob, or shards (Parquet or tar)."""
    instances: str | None = None
    """Instance maps: a folder, glob or shards with the same relative names as the label maps."""
    photos: str | None = None
    """Photos to stylize: a folder, glob or shards."""
    styles: str | None = None
    """Style photos: a folder, glob or shards."""
    style_masks: str | None = None
    """Label maps of the style photos, with the same relative names as these."""
    dataset: Literal["coco-stuff", "ade20k", "cityscapes"] | None = None
    """Published dataset that fills in --masks, --instances, --photos and --label-space, those that
    the job needs and that are not given."""
    root: str | None = None
    """Folder of the dataset, laid out as published."""
    split: str | None = None
    """Of the dataset: train2017 or val2017, training or validation, train, val or test."""
    where: str | None = None
    """Only masks (or photos) with ids like one of these globs, with commas between them:
    'aachen/*,bremen/*'."""
    containing_classes: str | None = None
    """Only scenes whose label map has all of these classes, with commas between them: 'car,road'.
    All label maps are read for it, once."""
    output: str
    """Folder of the image set; a job that was stopped goes on where it was."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """What the values of the label maps mean: coco-stuff, ade20k, cityscapes, or the YAML file of
    a label space of your own."""
    pairing: Literal["random", "match", "all", "table"] = "random"
    """Which styles each mask (or photo) gets: some drawn at random, those whose content is most
    like its own, all, or those of a table."""
    styles_per_mask: int = Field(default=1, ge=1)
    """How many styles are drawn for each mask (or photo)."""
    match_diversity: float = Field(default=0.3, ge=0, le=1)
    """Of matched styles: above 0 those are passed over that are much like one already taken."""
    pairing_table: str | None = None
    """CSV or Parquet file with the columns mask_id and style_id; masks not in it are left out."""
    region_guidance: Literal["fallback", "published", "none"] = "fallback"
    """With --style-masks every class takes the style of the same class. What the style lacks takes
    that of the whole photo (fallback) or none (published); none: regions play no part."""
    related_classes: str | None = None
    """YAML file with groups of classes that count as one: '- [sea, river]'; none: there are none.
    Default: those that come with spadepis for the published label spaces."""
    style_strength: float = Field(default=1.0, ge=0, le=1)
    """How much of the style photo's look a result takes: 0 is the content, 1 as published."""
    spade_checkpoint: str | None = None
    """Weights of the SPADE generator: a published latest_net_G.pth, or safetensors.
    Default: a small model for coco-stuff that comes with spadepis."""
    photowct_checkpoint: str | None = None
    """Weights of PhotoWCT: the published photo_wct.pth, or safetensors.
    Default: a small model that comes with spadepis."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first so many masks (or photos)."""
    seed: int = 0
    """Of the draw of styles."""
    size: str | None = Field(default=None, pattern=r"^[1-9]\d*x[1-9]\d*$")
    """WIDTHxHEIGHT of the results. Default: that of the published network, for photos their own."""
    longest_side: int = Field(default=1024, ge=16)
    """Photos that keep their own size are shrunk to this."""
    longest_style_side: int = Field(default=512, ge=16)
    """Style photos are shrunk to this."""
    max_pixels: int = Field(default=50_000_000, ge=1, le=80_000_000)
    """Input files with more pixels are refused."""
    output_format: Literal["files", "parquet"] = "files"
    """Of the image set: a file for each image, or Parquet shards that hold the images."""
    image_format: Literal["jpg", "png"] = "jpg"
    """Of the results."""
    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """Of the results."""
    keep_contents: bool = True
    """Also write the photos before stylization, in contents/."""
    quality: bool = True
    """Give every result its figures, columns of the metadata: see docs/quality.md."""
    reject: str | None = None
    """Results beyond one of these thresholds are not kept: 'structure<0.5,clipped>0.2'."""
    replace_rejected: bool = False
    """Draw another style for a mask (or photo) where a result was rejected, at most eight times."""
    max_failed_fraction: float = Field(default=0.01, ge=0, le=1)
    """With more failed pairs than this the exit status is 3."""
    retry_failed: bool = False
    """Do pairs again that failed in an earlier run."""
    s3_endpoint: str | None = None
    """URL of the service behind s3:// paths. Default: Amazon's, or what the environment says."""
    s3_anonymous: bool = False
    """Send unsigned requests to S3, for public data."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Of the networks; auto takes GPUs where the cluster has any."""
    precision: Literal["auto", "float32", "half"] = "auto"
    """Of the networks; auto computes in half precision on GPUs, where results stay within a level
    of 255, and in float32 on CPUs."""
    smoothing_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Of the smoothing; auto takes GPUs where there are fewer than 16 CPUs to each."""
    synthesis_workers: int | None = Field(default=None, ge=1)
    """Default: from the cluster's resources."""
    stylization_workers: int | None = Field(default=None, ge=1)
    """Default: from the cluster's resources."""
    smoothing_workers: int | None = Field(default=None, ge=1)
    """Default: from the cluster's resources."""
    cluster_cpus: int | None = Field(default=None, ge=1)
    """CPUs that the cluster at RAY_ADDRESS may grow to. Default: what it has at the start."""
    cluster_gpus: int | None = Field(default=None, ge=0)
    """GPUs, likewise."""

    @field_validator("*")
    @classmethod
    def _holds_no_credentials(cls, value: Any) -> Any:
        if isinstance(value, str):
            refuse_credentials(value)
        return value

    @field_validator("reject")
    @classmethod
    def _is_thresholds(cls, value: str | None) -> str | None:
        if value is not None:
            parse_thresholds(value)
        return value

    @property
    def width_and_height(self) -> tuple[int, int] | None:
        """``size`` in numbers."""
        if self.size is None:
            return None
        width, height = self.size.split("x")
        return int(width), int(height)

    @property
    def wanted_classes(self) -> Sequence[str]:
        """``containing_classes`` one by one."""
        return [name.strip() for name in (self.containing_classes or "").split(",")]

    @property
    def space(self) -> LabelSpace:
        """The label space of the dataset, or of that name or file.

        Raises:
            ConfigurationError: the file cannot be read, or what is wrong in it.
        """
        return find_label_space(self.dataset or self.label_space)

    @property
    def region_labels(self) -> Sequence[int] | None:
        """The region of each class by class index, where regions guide the styles.

        Raises:
            ConfigurationError: the file of related classes cannot be read, or what is wrong in it.
        """
        if self.style_masks is None or self.region_guidance == "none":
            return None
        return find_region_labels(self.space, self.related_classes)


INPUTS = ("masks", "instances", "photos", "styles", "style_masks")
# The settings that a job needs, and those that mean nothing to it.
REQUIRED: Mapping[Job, Sequence[str]] = {
    Job.SYNTHESIZE: ("masks",),
    Job.STYLIZE: ("photos", "styles"),
    Job.SYNTHESIZE_AND_STYLIZE: ("masks", "styles"),
}
FOREIGN: Mapping[Job, Sequence[str]] = {
    Job.SYNTHESIZE: (
        "photos",
        "styles",
        "style_masks",
        "pairing",
        "styles_per_mask",
        "match_diversity",
        "pairing_table",
        "region_guidance",
        "related_classes",
        "style_strength",
        "photowct_checkpoint",
        "longest_side",
        "longest_style_side",
        "replace_rejected",
        "smoothing_device",
        "stylization_workers",
        "smoothing_workers",
    ),
    Job.STYLIZE: ("instances", "spade_checkpoint", "synthesis_workers"),
    Job.SYNTHESIZE_AND_STYLIZE: ("photos", "longest_side"),
}


def with_dataset(job: Job, config: JobConfig) -> JobConfig:
    """The configuration with what ``dataset`` stands for filled in; no file is looked at.

    Raises:
        ConfigurationError: the root or the split is missing or not that of the dataset, or a label
            space of another dataset is given.
    """
    if config.dataset is None:
        if config.root is not None or config.split is not None:
            raise ConfigurationError("--root and --split go with --dataset")
        return config
    if config.root is None or config.split is None:
        raise ConfigurationError("--dataset needs --root and --split")
    if "label_space" in config.model_fields_set and config.label_space != config.dataset:
        raise ConfigurationError(f"--dataset {config.dataset} takes no other --label-space")
    try:
        inputs = LAYOUTS[config.dataset].inputs(config.root, config.split)
    except LayoutError as error:
        raise ConfigurationError(f"--split: {error}") from error
    wanted = {kind: uri for kind, uri in inputs.items() if kind not in FOREIGN[job]}
    given = {kind: uri for kind in wanted if (uri := getattr(config, kind)) is not None}
    return config.model_copy(update={**wanted, **given, "label_space": config.dataset})


def with_default_models(job: Job, config: JobConfig) -> JobConfig:
    """The configuration with the checkpoints that the job needs and was not given filled in.

    Where any is, one line of the log says so.

    Args:
        job: says which networks are needed.
        config: one that ``check_config`` has passed.
    """
    defaults: dict[str, str] = {}
    if job.synthesizes and config.spade_checkpoint is None:
        defaults["spade_checkpoint"] = DEFAULT_SPADE_CHECKPOINTS[config.space.name]
    if job.stylizes and config.photowct_checkpoint is None:
        defaults["photowct_checkpoint"] = DEFAULT_PHOTOWCT_CHECKPOINT
    if defaults:
        log.info(
            "no %s given: using what comes with spadepis, small models "
            "(see spadepis/checkpoints/models/README.md)",
            " and no ".join(map(flag, defaults)),
        )
    return config.model_copy(update=defaults)
