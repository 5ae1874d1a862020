"""Scripts with which a shell completes the commands, jobs and flags of ``spadepis``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import shtab

from spadepis.configuration import parser_of_settings
from spadepis.pipeline.config.command import DESCRIPTIONS, command_of


def completion_script(shell: str, parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    """The script for a shell, "bash", "zsh" or "tcsh".

    Args:
        shell: for which it is.
        parsers: what follows the name of each command; that of ``run`` has no jobs yet.
    """
    parser = argparse.ArgumentParser(prog="spadepis")
    commands = parser.add_subparsers()
    for name, own in parsers.items():
        command = commands.add_parser(name, help=own.description, parents=[own], add_help=False)
        if name == "run":
            jobs = command.add_subparsers()
            for job, description in DESCRIPTIONS.items():
                settings = parser_of_settings(command_of(job))
                jobs.add_parser(job.value, help=description, parents=[settings], add_help=False)
    script: str = shtab.complete(parser, shell)
    return script
