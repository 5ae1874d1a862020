"""The configuration of a job: one validated object behind YAML files and command-line flags."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import fsspec
import yaml
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    CliApp,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from spadepis.labels import LABEL_SPACES, LabelSpace
from spadepis.spade.generator import STRIDE


class ConfigurationError(ValueError):
    """A configuration that cannot be run, with the reason in one line."""


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


class JobConfig(BaseSettings):
    """Settings of a job. Every setting is a flag, and a key of a YAML file given by --config."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_exit_on_error=False,
    )

    config: str | None = None
    """YAML file with any of these settings; flags win over it."""
    masks: str | None = None
    """Label maps: a folder, searched recursively, or a glob."""
    instances: str | None = None
    """Instance maps: a folder or glob with the same relative names as the label maps."""
    photos: str | None = None
    """Photos to stylize: a folder or glob."""
    styles: str | None = None
    """Style photos: a folder or glob."""
    output: str
    """Folder of the image set; a job that was stopped goes on where it was."""
    label_space: Literal["coco-stuff", "ade20k", "cityscapes"] = "coco-stuff"
    """What the values of the label maps mean."""
    styles_per_mask: int = Field(default=1, ge=1)
    """How many styles each mask (or photo) gets."""
    spade_checkpoint: str | None = None
    """Weights of the SPADE generator: a published latest_net_G.pth, or safetensors."""
    photowct_checkpoint: str | None = None
    """Weights of PhotoWCT: the published photo_wct.pth, or safetensors."""
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
    image_format: Literal["jpg", "png"] = "jpg"
    """Of the results."""
    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """Of the results."""
    keep_contents: bool = True
    """Also write the photos before stylization, in contents/."""
    max_failed_fraction: float = Field(default=0.01, ge=0, le=1)
    """With more failed pairs than this the exit status is 3."""
    retry_failed: bool = False
    """Do pairs again that failed in an earlier run."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Of the networks; auto takes GPUs where the cluster has any."""
    synthesis_workers: int | None = Field(default=None, ge=1)
    """Default: from the cluster's resources."""
    stylization_workers: int | None = Field(default=None, ge=1)
    """Default: from the cluster's resources."""
    smoothing_workers: int | None = Field(default=None, ge=1)
    """Default: from the cluster's resources."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Settings come from the caller and from flags, never from the environment."""
        return (init_settings,)

    @property
    def width_and_height(self) -> tuple[int, int] | None:
        """``size`` in numbers."""
        if self.size is None:
            return None
        width, height = self.size.split("x")
        return int(width), int(height)

    @property
    def space(self) -> LabelSpace:
        """The label space of that name."""
        return LABEL_SPACES[self.label_space]


# The settings that a job needs, and those that mean nothing to it.
REQUIRED: Mapping[Job, Sequence[str]] = {
    Job.SYNTHESIZE: ("masks", "spade_checkpoint"),
    Job.STYLIZE: ("photos", "styles", "photowct_checkpoint"),
    Job.SYNTHESIZE_AND_STYLIZE: ("masks", "styles", "spade_checkpoint", "photowct_checkpoint"),
}
FOREIGN: Mapping[Job, Sequence[str]] = {
    Job.SYNTHESIZE: (
        "photos",
        "styles",
        "styles_per_mask",
        "photowct_checkpoint",
        "longest_side",
        "longest_style_side",
        "stylization_workers",
        "smoothing_workers",
    ),
    Job.STYLIZE: ("instances", "spade_checkpoint", "synthesis_workers"),
    Job.SYNTHESIZE_AND_STYLIZE: ("photos", "longest_side"),
}


def parse_config(job: Job, arguments: Sequence[str]) -> JobConfig:
    """The configuration from command-line flags and the YAML file that ``--config`` names.

    Raises:
        ConfigurationError: an unknown flag or key, a value that does not fit, a setting that the
            job needs and has not, or one that means nothing to it.
    """
    settings = _read_yaml(arguments)
    try:
        config = CliApp.run(JobConfig, cli_args=list(arguments), **settings)
    except ValidationError as error:
        raise ConfigurationError("; ".join(map(_describe, error.errors()))) from error
    except SettingsError as error:
        raise ConfigurationError(str(error).removeprefix("error parsing CLI: ")) from error
    check_config(job, config)
    return config


def check_config(job: Job, config: JobConfig) -> None:
    """Check what depends on the job: which settings it needs and which mean nothing to it.

    Raises:
        ConfigurationError: naming the flags.
    """
    missing = [name for name in REQUIRED[job] if getattr(config, name) is None]
    if missing:
        raise ConfigurationError(f"{job.value} needs {', '.join(map(_flag, missing))}")
    foreign = [name for name in FOREIGN[job] if name in config.model_fields_set]
    if foreign:
        raise ConfigurationError(f"{job.value} takes no {', '.join(map(_flag, foreign))}")
    if config.instances is not None and not config.space.has_instance_edges:
        raise ConfigurationError(f"the label space {config.label_space} takes no --instances")
    sides = config.width_and_height or (STRIDE, STRIDE)
    if job.synthesizes and any(side % STRIDE for side in sides):
        raise ConfigurationError(f"size {config.size}: SPADE needs multiples of {STRIDE}")


def _read_yaml(arguments: Sequence[str]) -> dict[str, Any]:
    """The settings in the file that ``--config`` names, if any."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--config")
    try:
        uri = parser.parse_known_args(arguments)[0].config
    except argparse.ArgumentError as error:
        raise ConfigurationError(str(error)) from error
    if uri is None:
        return {}
    try:
        with fsspec.open(uri, "rt") as file:
            settings = yaml.safe_load(file) or {}
    except OSError as error:
        raise ConfigurationError(f"{uri} cannot be read: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{uri} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict):
        raise ConfigurationError(f"{uri} is not a mapping from settings to values")
    # Keys may also be spelt like the flags.
    settings = {str(key).replace("-", "_"): value for key, value in settings.items()}
    known = [name for name in JobConfig.model_fields if name != "config"]
    for key in settings:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ConfigurationError(f"{uri}: unknown key {key}{hint}")
    return settings


def _describe(error: ErrorDetails) -> str:
    name = ".".join(map(str, error["loc"]))
    return f"{_flag(name)}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
