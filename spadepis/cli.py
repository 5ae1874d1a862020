"""Command lines: the jobs, and the ``spadepis`` command."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from spadepis.checkpoint import CheckpointError
from spadepis.dataset.commit_log import read_commits
from spadepis.dataset.folder import Folder
from spadepis.pipeline.config import ConfigurationError, Job, parse_config
from spadepis.pipeline.report import summarize, summary_text

BAD_CONFIGURATION = 2
# As shells report it: 128 + SIGINT.
INTERRUPTED = 130


def main() -> int:
    """Run the ``spadepis`` command and return its exit status."""
    description = "Semantic label maps in, photorealistic stylized photos out."
    parser = argparse.ArgumentParser(prog="spadepis", description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", add_help=False, help="run a job, as jobs/JOB.py does")
    run.add_argument("job", choices=[job.value for job in Job])
    inspect = commands.add_parser("inspect", help="what an image set holds, finished or not")
    inspect.add_argument("uri", help="output folder of a job")
    arguments, rest = parser.parse_known_args()
    if arguments.command == "run":
        return run_job(Job(arguments.job), rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return inspect_image_set(arguments.uri)


def run_job(job: Job, arguments: Sequence[str]) -> int:
    """Parse the flags of a job, run it, print its summary, and return the exit status."""
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
    try:
        config = parse_config(job, arguments)
        # Ray takes seconds to import; a wrong flag should not.
        from spadepis.pipeline.job import run

        outcome = run(job, config)
    except (ConfigurationError, CheckpointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_CONFIGURATION
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    print(outcome.summary)
    return outcome.status


def inspect_image_set(uri: str) -> int:
    """Print what the commit log of an image set holds, and return the exit status."""
    folder = Folder(uri)
    commits = read_commits(folder)
    if not commits:
        print(f"error: {folder.uri} holds no image set", file=sys.stderr)
        return BAD_CONFIGURATION
    print(summary_text(summarize(commits), commits, folder.uri))
    return 0
