"""The command line of a job, and the configuration that comes from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spadepis.configuration import Command, ConfigurationError, Schema, read_values
from spadepis.dataset.storage.credentials import CredentialsError, refuse_credentials
from spadepis.pipeline.config import groups
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig, resolve

DESCRIPTIONS = {
    Job.SYNTHESIZE: "Turn label maps into photos.",
    Job.STYLIZE: "Give photos the look of style photos.",
    Job.SYNTHESIZE_AND_STYLIZE: "Turn label maps into photos with the look of style photos.",
}
# The description of a setting that a job takes to no effect.
UNUSED: Schema = {
    "description": "Has no effect on this job. It is accepted because version 0.1 accepted it."
}


def parse_config(job: Job, arguments: Sequence[str]) -> JobConfig:
    """The configuration from command-line flags and the YAML file that ``--config`` names.

    Raises:
        ConfigurationError: an unknown flag or key, a value that does not fit, a setting that the
            job needs is missing, or settings that do not go together.
    """
    return resolve(job, read_settings(job, arguments))


def read_settings(job: Job, arguments: Sequence[str]) -> dict[str, Any]:
    """The settings that flags and the YAML file of ``--config`` give, not yet validated.

    Raises:
        ConfigurationError: an unknown flag or key, or credentials among them.
    """
    try:
        # Before any other error can repeat them.
        for argument in arguments:
            _, is_flag, value = argument.partition("=")
            refuse_credentials(value if is_flag and argument.startswith("--") else argument)
    except CredentialsError as error:
        raise ConfigurationError(str(error)) from error
    return read_values(command_of(job), arguments)


def command_of(job: Job) -> Command:
    """The settings of a job, as flags and YAML keys, under the headings of their groups."""
    sections: dict[str, Mapping[str, Schema]] = {}
    elsewhere: dict[str, Sequence[Job]] = {}
    for group in groups.GROUPS:
        own = group.settings_of(job)
        schemas = group.model_json_schema()["properties"]
        if own:
            sections[group.heading] = {
                name: schemas[name] if group.is_used(name, job) else {**schemas[name], **UNUSED}
                for name in own
            }
        elsewhere |= {name: group.jobs_of(name) for name in schemas if name not in own}
    program = f"spadepis run {job.value}"
    return Command(job.value, DESCRIPTIONS[job], sections, elsewhere, program)
