"""Configurations of jobs: one validated object behind YAML files and command-line flags."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import Any, TypeVar

import fsspec
import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    CliApp,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)


class ConfigurationError(ValueError):
    """A configuration that cannot be run, with the reason in one line."""


class Configuration(BaseSettings):
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


Settings = TypeVar("Settings", bound=Configuration)


def parse_settings(settings: type[Settings], arguments: Sequence[str]) -> Settings:
    """The settings from command-line flags and the YAML file that ``--config`` names.

    Raises:
        ConfigurationError: an unknown flag or key, or a value that does not fit.
    """
    from_file = _read_yaml(settings, arguments)
    try:
        return CliApp.run(settings, cli_args=list(arguments), **from_file)
    except ValidationError as error:
        raise ConfigurationError("; ".join(map(_describe, error.errors()))) from error
    except SettingsError as error:
        raise ConfigurationError(str(error).removeprefix("error parsing CLI: ")) from error


def read_yaml(uri: str) -> Any:
    """The content of a YAML file.

    Args:
        uri: local path or fsspec URI.

    Raises:
        ConfigurationError: the file cannot be read, or is not YAML.
    """
    try:
        with fsspec.open(uri, "rb") as file:
            return yaml.safe_load(file.read())
    except OSError as error:
        raise ConfigurationError(f"{uri} cannot be read: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{uri} is not YAML: {' '.join(str(error).split())}") from error


def flag(name: str) -> str:
    """The flag of the setting of that name."""
    return "--" + name.replace("_", "-")


def _read_yaml(settings: type[Configuration], arguments: Sequence[str]) -> dict[str, Any]:
    """The settings in the file that ``--config`` names, if any."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--config")
    try:
        uri = parser.parse_known_args(arguments)[0].config
    except argparse.ArgumentError as error:
        raise ConfigurationError(str(error)) from error
    if uri is None:
        return {}
    from_file = read_yaml(uri) or {}
    if not isinstance(from_file, dict):
        raise ConfigurationError(f"{uri} is not a mapping from settings to values")
    # Keys may also be spelt like the flags.
    from_file = {str(key).replace("-", "_"): value for key, value in from_file.items()}
    known = [name for name in settings.model_fields if name != "config"]
    for key in from_file:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ConfigurationError(f"{uri}: unknown key {key}{hint}")
    return from_file


def _describe(error: ErrorDetails) -> str:
    name = ".".join(map(str, error["loc"]))
    return f"{flag(name)}: {error['msg'][0].lower()}{error['msg'][1:]}"
