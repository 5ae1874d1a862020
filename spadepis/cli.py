"""Command lines: the jobs, and the ``spadepis`` command."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from spadepis.checkpoint import CheckpointError
from spadepis.configuration import ConfigurationError
from spadepis.dataset.commit_log import read_commits
from spadepis.dataset.folder import Folder
from spadepis.demo.run import OUTPUT, demo_config, run_demo
from spadepis.pipeline.config import Job, parse_config
from spadepis.pipeline.report import summarize, summary_text

BAD_CONFIGURATION = 2
# As shells report it: 128 + SIGINT.
INTERRUPTED = 130


def main() -> int:
    """Run the ``spadepis`` command and return its exit status."""
    parser = _parser()
    arguments, rest = parser.parse_known_args()
    if arguments.command == "run":
        return run_job(Job(arguments.job), rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if arguments.command == "demo":
        inputs = arguments.masks, arguments.instances, arguments.styles
        return _exit_status(lambda: run_demo(demo_config(arguments.output, *inputs)))
    return inspect_image_set(arguments.uri)


def run_job(job: Job, arguments: Sequence[str]) -> int:
    """Parse the flags of a job, run it, print its summary, and return the exit status."""

    def work() -> int:
        config = parse_config(job, arguments)
        # Ray takes seconds to import; a wrong flag should not.
        from spadepis.pipeline.job import run

        outcome = run(job, config)
        print(outcome.summary)
        return outcome.status

    return _exit_status(work)


def inspect_image_set(uri: str) -> int:
    """Print what the commit log of an image set holds, and return the exit status."""
    folder = Folder(uri)
    commits = read_commits(folder)
    if not commits:
        print(f"error: {folder.uri} holds no image set", file=sys.stderr)
        return BAD_CONFIGURATION
    print(summary_text(summarize(commits), commits, folder.uri))
    return 0


def _parser() -> argparse.ArgumentParser:
    description = "Semantic label maps in, photorealistic stylized photos out."
    parser = argparse.ArgumentParser(prog="spadepis", description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="an image set from what comes with spadepis")
    demo.add_argument("--output", default=OUTPUT, help="folder of the image set (%(default)s)")
    demo.add_argument("--styles", help="your own style photos: a folder, a glob or a file")
    demo.add_argument("--masks", help="your own label maps of COCO-Stuff, likewise")
    demo.add_argument("--instances", help="the instance maps that belong to your label maps")
    run = commands.add_parser("run", add_help=False, help="run a job, as jobs/JOB.py does")
    run.add_argument("job", choices=[job.value for job in Job])
    inspect = commands.add_parser("inspect", help="what an image set holds, finished or not")
    inspect.add_argument("uri", help="output folder of a job")
    return parser


def _exit_status(work: Callable[[], int]) -> int:
    """The status that ``work`` returns, or that of what stopped it, which is printed in a line."""
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
    try:
        return work()
    except (ConfigurationError, CheckpointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_CONFIGURATION
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
