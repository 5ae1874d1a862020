"""Command lines: the jobs, and the ``spadepis`` command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from spadepis.demo.run import OUTPUT, demo_config, run_demo
from spadepis.exit_status import exit_status
from spadepis.pipeline.config import Job, parse_config
from spadepis.pipeline.inspection import inspect


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
        return exit_status(lambda: run_demo(demo_config(arguments.output, *inputs)))
    return inspect_image_set(arguments.uri, arguments.verify)


def run_job(job: Job, arguments: Sequence[str]) -> int:
    """Parse the flags of a job, run it, print its summary, and return the exit status."""

    def work() -> int:
        config = parse_config(job, arguments)
        # Ray takes seconds to import; a wrong flag should not.
        from spadepis.pipeline.job import run

        outcome = run(job, config)
        print(outcome.summary)
        return outcome.status

    return exit_status(work)


def inspect_image_set(uri: str, verify: bool = False) -> int:
    """Print what an image set holds, checked if asked for, and return the exit status."""
    return exit_status(lambda: inspect(uri, verify))


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
    inspection = commands.add_parser("inspect", help="what an image set holds, finished or not")
    inspection.add_argument("uri", help="output folder of a job")
    inspection.add_argument(
        "--verify", action="store_true", help="read all images back, check them"
    )
    return parser
