"""Command lines: the jobs, and the ``spadepis`` command.

What a command needs is imported when it was chosen: most of it takes long to import, which
``--help`` and a wrong flag should not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from spadepis import __version__
from spadepis.cli.exit_status import exit_status
from spadepis.cli.log import log_as_json
from spadepis.pipeline.config.job import Job

if TYPE_CHECKING:
    from spadepis.pipeline.stages.stage import StageSpec

# The command, and what ``spadepis --help`` says about it.
COMMANDS = {
    "demo": "make an image set from what comes with spadepis",
    "run": "run a job",
    "plan": "estimate the pairs, bytes and hours of a job on a cluster",
    "inspect": "show what an image set holds, finished or not",
    "repair": "read an image set back, and make again what is damaged or missing",
    "checkpoints": "check the weights in a folder or a file, and convert them to safetensors",
    "figure": "show some scenes of an image set in one picture",
    "completion": "print what a shell needs to complete commands and flags",
}
SHELLS = ("bash", "zsh", "tcsh")


def main() -> int:
    """Run the ``spadepis`` command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="spadepis",
        description="Semantic label maps in, photorealistic stylized photos out.",
    )
    parser.add_argument("--version", action="version", version=f"spadepis {__version__}")
    # The flags of the command itself are read once its own parser is there.
    chosen = _choose(parser, "COMMAND", COMMANDS, sys.argv[1:2])
    if chosen == "run":
        # Pydantic takes a while to import.
        from spadepis.pipeline.config.command import DESCRIPTIONS

        jobs = {job.value: description for job, description in DESCRIPTIONS.items()}
        return run_job(Job(_choose(parser_of("run"), "JOB", jobs, sys.argv[2:3])), sys.argv[3:])
    arguments = parser_of(chosen).parse_args(sys.argv[2:])
    if chosen == "inspect":
        return inspect_image_set(arguments.uri, arguments.verify)
    if chosen == "completion":
        return _print_completion(arguments.shell)
    return exit_status(lambda: _command(chosen)[1](arguments), resumes=chosen in ("demo", "repair"))


def _choose(
    parser: argparse.ArgumentParser,
    metavar: str,
    summaries: Mapping[str, str],
    words: Sequence[str],
) -> str:
    """Which command the first of some words names; a wrong one ends the process with status 2."""
    choices = parser.add_subparsers(dest="chosen", required=True, metavar=metavar)
    for name, summary in summaries.items():
        choices.add_parser(name, help=summary, add_help=False)
    if words and words[0] not in summaries and not words[0].startswith("-"):
        from spadepis.configuration import similar

        hint = similar(words[0], summaries) or f" (there are {', '.join(summaries)})"
        parser.error(f"unknown {metavar.lower()} {words[0]!r}{hint}")
    chosen: str = parser.parse_known_args(words)[0].chosen
    return chosen


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of what follows the name of a command."""
    parser = argparse.ArgumentParser(prog=f"spadepis {command}", description=COMMANDS[command])
    if command == "inspect":
        parser.add_argument("uri", help="output folder of a job")
        parser.add_argument(
            "--verify", action="store_true", help="read all images back and check them"
        )
    elif command == "completion":
        parser.add_argument("shell", choices=SHELLS)
    elif command != "run":
        _command(command)[0](parser)
    return parser


def run_job(job: Job, arguments: Sequence[str], own_stages: Sequence[StageSpec] = ()) -> int:
    """Parse the flags of a job, run it, print its summary, and return the exit status.

    Args:
        job: what is made.
        arguments: its flags.
        own_stages: stages that take the place of those of the same name, such as another generator.
    """

    def work() -> int:
        from spadepis.pipeline.config.command import read_settings
        from spadepis.pipeline.config.resolution import resolve

        settings = read_settings(job, arguments)
        if settings.get("log_format") == "json":
            log_as_json()
        config = resolve(job, settings, own_stages)
        if config.output.dry_run:
            from spadepis.pipeline.planning.dry_run import dry_run

            print(dry_run(config))
            return 0
        from spadepis.pipeline.ray.job import run

        outcome = run(config)
        print(outcome.summary)
        return outcome.status

    return exit_status(work, resumes=True)


def inspect_image_set(uri: str, verify: bool = False) -> int:
    """Print what an image set holds, checked if asked for, and return the exit status."""

    def work() -> int:
        from spadepis.pipeline.config.identity import default_identity
        from spadepis.report.inspection import inspect

        return inspect(uri, verify, default_identity)

    return exit_status(work)


def _print_completion(shell: str) -> int:
    def work() -> int:
        from spadepis.cli.completion import completion_script

        print(completion_script(shell, {name: parser_of(name) for name in COMMANDS}))
        return 0

    return exit_status(work)


def _command(
    name: str,
) -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]:
    """The functions that add the flags of a command, and that run it."""
    if name == "demo":
        from spadepis.cli import demo

        return demo.add_arguments, demo.run
    if name == "plan":
        from spadepis.cli import plan

        return plan.add_arguments, plan.run
    if name == "repair":
        from spadepis.cli import repair

        return repair.add_arguments, repair.run
    if name == "checkpoints":
        from spadepis.cli import checkpoints

        return checkpoints.add_arguments, checkpoints.run
    from spadepis.cli import figure

    return figure.add_arguments, figure.run
