"""Command lines: the jobs, and the ``spadepis`` command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from spadepis import __version__
from spadepis.cli.exit_status import exit_status
from spadepis.configuration import flag
from spadepis.demo.run import OUTPUT, demo_config, run_demo
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.planning.dry_run import dry_run
from spadepis.pipeline.planning.estimate import PLANNED, count_masks, estimate, estimate_text
from spadepis.pipeline.resources.allocation import ClusterSize
from spadepis.report.contact_sheet import write_figure
from spadepis.report.inspection import inspect


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
    if arguments.command == "plan":
        return exit_status(lambda: _print_plan(arguments))
    if arguments.command == "figure":
        return exit_status(lambda: _make_figure(arguments))
    return inspect_image_set(arguments.uri, arguments.verify)


def run_job(job: Job, arguments: Sequence[str]) -> int:
    """Parse the flags of a job, run it, print its summary, and return the exit status."""

    def work() -> int:
        config = parse_config(job, arguments)
        if config.output.dry_run:
            print(dry_run(config))
            return 0
        # Ray takes seconds to import; a wrong flag should not.
        from spadepis.pipeline.ray.job import run

        outcome = run(config)
        print(outcome.summary)
        return outcome.status

    return exit_status(work)


def inspect_image_set(uri: str, verify: bool = False) -> int:
    """Print what an image set holds, checked if asked for, and return the exit status."""
    return exit_status(lambda: inspect(uri, verify))


def _make_figure(arguments: argparse.Namespace) -> int:
    print(
        write_figure(arguments.uri, arguments.output, arguments.rows, arguments.label_space),
    )
    return 0


def _print_plan(arguments: argparse.Namespace) -> int:
    cluster = ClusterSize(arguments.cpus, arguments.gpus)
    given = vars(arguments)
    cpu_rates = {stage: given[stage.rate_setting] for stage in PLANNED}
    on_gpu = {stage: given.get(f"gpu_{stage.rate_setting}") for stage in PLANNED}
    gpu_rates = {stage: rate for stage, rate in on_gpu.items() if rate is not None}
    scenes = count_masks(arguments.masks)
    print(estimate_text(estimate(scenes, arguments.styles_per_mask, cluster, cpu_rates, gpu_rates)))
    return 0


def _add_plan(plan: argparse.ArgumentParser) -> None:
    plan.add_argument("--masks", required=True, help="label maps, as for a job")
    plan.add_argument("--styles-per-mask", type=_positive_integer, default=1)
    plan.add_argument("--cpus", type=_positive_integer, required=True, help="of the cluster")
    plan.add_argument("--gpus", type=_whole, default=0, help="of the cluster")
    for stage in PLANNED:
        name = flag(stage.rate_setting)
        what = "results" if stage.per_result else "label maps"
        plan.add_argument(
            name,
            type=_positive,
            default=stage.cpu_rate,
            help=f"{what} a second on one CPU core (%(default)s)",
        )
        if "cuda" in stage.devices:
            plan.add_argument(
                f"--gpu-{name.removeprefix('--')}",
                type=_positive,
                help=f"{what} a second on one GPU",
            )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _positive_integer(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _parser() -> argparse.ArgumentParser:
    description = "Semantic label maps in, photorealistic stylized photos out."
    parser = argparse.ArgumentParser(prog="spadepis", description=description)
    parser.add_argument("--version", action="version", version=f"spadepis {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="an image set from what comes with spadepis")
    demo.add_argument("--output", default=OUTPUT, help="folder of the image set (%(default)s)")
    demo.add_argument("--styles", help="your own style photos: a folder, a glob or a file")
    demo.add_argument("--masks", help="your own label maps of COCO-Stuff, likewise")
    demo.add_argument("--instances", help="the instance maps that belong to your label maps")
    run = commands.add_parser("run", add_help=False, help="run a job, as jobs/JOB.py does")
    run.add_argument("job", choices=[job.value for job in Job])
    plan_help = "pairs, bytes and hours of a job on a cluster, before it is run"
    _add_plan(commands.add_parser("plan", help=plan_help))
    inspection = commands.add_parser("inspect", help="what an image set holds, finished or not")
    inspection.add_argument("uri", help="output folder of a job")
    inspection.add_argument(
        "--verify", action="store_true", help="read all images back, check them"
    )
    figure = commands.add_parser("figure", help="some scenes of an image set in one picture")
    figure.add_argument("uri", help="output folder of a finished job")
    figure.add_argument("--rows", type=_positive_integer, default=6, help="scenes (%(default)s)")
    figure.add_argument("--output", default="figure.png", help="PNG, PDF or JPEG (%(default)s)")
    figure.add_argument("--label-space", help="YAML file, for sets in a label space of your own")
    return parser
