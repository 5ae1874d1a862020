"""Command lines: the jobs, and the ``spadepis`` command.

What a command needs is imported when it was chosen: most of it takes long to import, which
``--help`` and a wrong flag should not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from spadepis import __version__
from spadepis.cli.exit_status import exit_status
from spadepis.pipeline.config.job import Job

# The command, and what ``spadepis --help`` says about it.
COMMANDS = {
    "demo": "make an image set from what comes with spadepis",
    "run": "run a job, as jobs/JOB.py does",
    "plan": "estimate the pairs, bytes and hours of a job on a cluster",
    "inspect": "show what an image set holds, finished or not",
    "repair": "read an image set back, and make again what is damaged or missing",
    "checkpoints": "check the weights in a folder or a file, and convert them to safetensors",
    "figure": "show some scenes of an image set in one picture",
}


def main() -> int:
    """Run the ``spadepis`` command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="spadepis",
        description="Semantic label maps in, photorealistic stylized photos out.",
    )
    parser.add_argument("--version", action="version", version=f"spadepis {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary, add_help=False)
    # The flags of the command itself are read once its own parser is there.
    chosen = parser.parse_known_args(sys.argv[1:2])[0].command
    arguments = parser_of(chosen).parse_args(sys.argv[2:])
    if chosen == "run":
        return run_job(Job(arguments.job), arguments.settings)
    if chosen == "inspect":
        return inspect_image_set(arguments.uri, arguments.verify)
    return exit_status(lambda: _command(chosen)[1](arguments), resumes=chosen in ("demo", "repair"))


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of what follows the name of a command."""
    parser = argparse.ArgumentParser(prog=f"spadepis {command}", description=COMMANDS[command])
    if command == "run":
        parser.add_argument("job", choices=[job.value for job in Job])
        parser.add_argument("settings", nargs="...", help="settings of the job, see JOB --help")
    elif command == "inspect":
        parser.add_argument("uri", help="output folder of a job")
        parser.add_argument(
            "--verify", action="store_true", help="read all images back and check them"
        )
    else:
        _command(command)[0](parser)
    return parser


def run_job(job: Job, arguments: Sequence[str]) -> int:
    """Parse the flags of a job, run it, print its summary, and return the exit status."""

    def work() -> int:
        from spadepis.pipeline.config.command import parse_config

        config = parse_config(job, arguments)
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
        from spadepis.pipeline.config.groups import default_settings
        from spadepis.report.inspection import inspect

        return inspect(uri, verify, default_settings())

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
