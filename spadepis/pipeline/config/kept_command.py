"""The command that made an image set, kept in it so that the set can be repaired."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.layout import COMMAND
from spadepis.dataset.image_set.records import DamagedFileError, read_record, write_record
from spadepis.dataset.storage.credentials import without_queries
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig


@dataclass(frozen=True)
class KeptCommand:
    """A job as it was started.

    Attributes:
        job: what it made.
        directory: where it ran, from which relative paths are meant.
        settings: the values that flags and YAML gave.
        starts: when this run, and the runs before it that did something, began.
    """

    job: Job
    directory: str
    settings: Mapping[str, Any]
    starts: Sequence[datetime]


def keep_command(folder: Folder, config: JobConfig, start: datetime) -> None:
    """Keep the settings of a job in its image set, web addresses without their queries."""
    starts = [*run_starts(folder), start]
    settings = {
        name: without_queries(value) if isinstance(value, str) else value
        for name, value in config.given.items()
    }
    command = {
        "job": config.job.value,
        "directory": os.getcwd(),
        "settings": settings,
        "starts": [each.isoformat() for each in starts],
    }
    write_record(folder, COMMAND, command)


def read_command(folder: Folder) -> KeptCommand:
    """What ``keep_command`` kept.

    Raises:
        ConfigurationError: nothing was kept, as by version 0.1.
        DamagedFileError: it is not what was kept.
    """
    try:
        command = read_record(folder, COMMAND)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigurationError(
            f"{folder.uri} does not say which command made it: start its job with --repair"
        ) from error
    # Earlier builds of 0.2 did not keep when they were started.
    starts = [datetime.fromisoformat(each) for each in command.get("starts", ())]
    return KeptCommand(Job(command["job"]), command["directory"], command["settings"], starts)


def run_starts(folder: Folder) -> Sequence[datetime]:
    """When the runs of a job that did something began, as far as that is known."""
    try:
        return read_command(folder).starts
    except (ConfigurationError, DamagedFileError):
        return ()
