"""``spadepis repair``: read an image set back, and make again what is damaged or missing."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.kept_command import read_command
from spadepis.pipeline.config.resolution import resolve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("uri", help="output folder of a job")


def run(arguments: argparse.Namespace) -> int:
    """Run the job of an image set again with ``--repair``, and return the exit status.

    Raises:
        ConfigurationError: the set does not say which command made it, or that cannot be run.
        DamagedFileError: the command is damaged.
    """
    # Ray takes a while to import, which a wrong path should not.
    from spadepis.pipeline.ray.job import run as run_job

    folder = Folder(arguments.uri)
    command = read_command(folder)
    settings = {**command.settings, "output": folder.uri, "repair": True}
    if Path(command.directory).is_dir():
        os.chdir(command.directory)
    outcome = run_job(resolve(command.job, settings))
    print(outcome.summary)
    return outcome.status
