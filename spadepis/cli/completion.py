"""``spadepis completion``: a script with which a shell completes commands, jobs and flags."""

from __future__ import annotations

import argparse

import shtab

from spadepis.cli.main import COMMANDS, parser_of
from spadepis.configuration import parser_of_settings
from spadepis.pipeline.config.command import DESCRIPTIONS, command_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS)


def run(arguments: argparse.Namespace) -> int:
    """Print the script, and return the exit status."""
    print(shtab.complete(_whole_parser(), arguments.shell))
    return 0


def _whole_parser() -> argparse.ArgumentParser:
    """The command line with all commands and the settings of all jobs."""
    parser = argparse.ArgumentParser(prog="spadepis")
    commands = parser.add_subparsers()
    for name, summary in COMMANDS.items():
        parents = [parser_of(name)]
        command = commands.add_parser(name, help=summary, parents=parents, add_help=False)
        if name == "run":
            jobs = command.add_subparsers()
            for job, description in DESCRIPTIONS.items():
                settings = parser_of_settings(command_of(job))
                jobs.add_parser(job.value, help=description, parents=[settings], add_help=False)
    return parser
