"""Reading the configuration of a job, and checking what depends on the job."""

from __future__ import annotations

from collections.abc import Sequence

from spadepis.checkpoints.defaults import DEFAULT_SPADE_CHECKPOINTS
from spadepis.configuration import ConfigurationError, flag, parse_settings
from spadepis.dataset.storage.credentials import CredentialsError, refuse_credentials
from spadepis.labels import LabelSpace, no_such_class
from spadepis.pipeline.config.settings import FOREIGN, REQUIRED, Job, JobConfig, with_dataset
from spadepis.spade.generator import STRIDE


def parse_config(job: Job, arguments: Sequence[str]) -> JobConfig:
    """The configuration from command-line flags and the YAML file that ``--config`` names.

    Raises:
        ConfigurationError: an unknown flag or key, a value that does not fit, a setting that the
            job needs and has not, or one that means nothing to it.
    """
    try:
        # Before any other error can repeat them.
        for argument in arguments:
            refuse_credentials(argument)
    except CredentialsError as error:
        raise ConfigurationError(str(error)) from error
    config = parse_settings(JobConfig, arguments)
    check_config(job, config)
    return config


def check_config(job: Job, config: JobConfig) -> None:
    """Check what depends on the job: which settings it needs and which mean nothing to it.

    Raises:
        ConfigurationError: naming the flags.
    """
    config = with_dataset(job, config)
    space = config.space
    missing = [name for name in REQUIRED[job] if getattr(config, name) is None]
    if missing:
        raise ConfigurationError(f"{job.value} needs {', '.join(map(flag, missing))}")
    foreign = [name for name in FOREIGN[job] if name in config.model_fields_set]
    if foreign:
        raise ConfigurationError(f"{job.value} takes no {', '.join(map(flag, foreign))}")
    chosen = config.pairing in ("random", "match")
    if not chosen and "styles_per_mask" in config.model_fields_set:
        raise ConfigurationError(f"--pairing {config.pairing} takes no --styles-per-mask")
    if (config.pairing == "table") != (config.pairing_table is not None):
        raise ConfigurationError("--pairing table and --pairing-table go together")
    if config.containing_classes is not None:
        if config.masks is None:
            raise ConfigurationError("--containing-classes needs --masks")
        _check_classes(config.wanted_classes, space)
    if config.reject is not None and not config.quality:
        raise ConfigurationError("--reject goes by the figures of --quality")
    if config.pairing != "match" and "match_diversity" in config.model_fields_set:
        raise ConfigurationError("--match-diversity goes with --pairing match")
    if config.replace_rejected and (config.reject is None or not chosen):
        raise ConfigurationError("--replace-rejected needs --reject, and --pairing random or match")
    if config.instances is not None and not space.has_instance_edges:
        raise ConfigurationError(f"the label space {space.name} takes no --instances")
    _check_region_guidance(config)
    width, height = config.width_and_height or space.size[::-1]
    if job.synthesizes and (width % STRIDE or height % STRIDE):
        raise ConfigurationError(f"size {width}x{height}: SPADE needs multiples of {STRIDE}")
    served = config.spade_checkpoint is not None or space.name in DEFAULT_SPADE_CHECKPOINTS
    if job.synthesizes and not served:
        raise ConfigurationError(
            f"the label space {space.name} needs --spade-checkpoint: spadepis comes with "
            f"a model for {', '.join(DEFAULT_SPADE_CHECKPOINTS)} alone"
        )


def _check_region_guidance(config: JobConfig) -> None:
    """Regions need label maps on both sides.

    Raises:
        ConfigurationError: naming the flags, or what is wrong in the file of related classes.
    """
    if config.style_masks is None and "region_guidance" in config.model_fields_set:
        raise ConfigurationError("--region-guidance needs --style-masks")
    if config.style_masks is not None and config.masks is None:
        raise ConfigurationError("--style-masks needs --masks, the label maps of the photos")
    try:
        guided = config.region_labels is not None
    except ConfigurationError as error:
        raise ConfigurationError(f"--related-classes: {error}") from error
    if config.related_classes is not None and not guided and config.pairing != "match":
        raise ConfigurationError("--related-classes goes with --style-masks and --region-guidance")


def _check_classes(names: Sequence[str], space: LabelSpace) -> None:
    for name in names:
        if name not in space.names:
            raise ConfigurationError(f"--containing-classes: {no_such_class(space, name)}")
