"""``spadepis plan``: how long a job would take on a cluster, from rates that were measured."""

from __future__ import annotations

import argparse

from spadepis.cli.numbers import positive, positive_integer, whole_number
from spadepis.configuration import ConfigurationError, flag
from spadepis.pipeline.planning.estimate import PLANNED, count_masks, estimate, estimate_text
from spadepis.pipeline.resources.allocation import ClusterSize
from spadepis.pipeline.resources.rates import (
    CARDS,
    CPU_RATES,
    UNKNOWN_CARD,
    WORK,
    Rate,
    gpu_rate,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("--masks", required=True, help="label maps: a folder, a glob or shards")
    parser.add_argument(
        "--styles-per-mask",
        type=positive_integer,
        default=1,
        help="number of results for each label map (default: %(default)s)",
    )
    parser.add_argument(
        "--cpus", type=positive_integer, required=True, help="number of CPU cores in the cluster"
    )
    parser.add_argument(
        "--gpus",
        type=whole_number,
        default=0,
        help="number of GPUs in the cluster (default: %(default)s)",
    )
    parser.add_argument(
        "--gpu-type",
        choices=tuple(CARDS),
        help="type of the GPUs; spadepis has rates of these, so that you need not give any",
    )
    for stage in PLANNED:
        name = flag(stage.rate_setting)
        what = "results" if stage.per_result else "label maps"
        parser.add_argument(
            name,
            type=positive,
            default=CPU_RATES[stage],
            help=f"{what} a second on one CPU core (default: %(default)s)",
        )
        if "cuda" in stage.devices:
            parser.add_argument(
                f"--gpu-{name.removeprefix('--')}",
                type=positive,
                help=f"{what} a second on one GPU",
            )


def run(arguments: argparse.Namespace) -> int:
    """Print the estimate, and return the exit status.

    Raises:
        ConfigurationError: the label maps cannot be listed, a rate that is needed is missing, or
            rates of GPUs are given but no GPUs.
    """
    card = arguments.gpu_type
    cluster = ClusterSize(arguments.cpus, arguments.gpus, card or UNKNOWN_CARD)
    given = vars(arguments)
    on_gpu = {stage: given.get(f"gpu_{stage.rate_setting}") for stage in PLANNED}
    if not arguments.gpus and (card or any(on_gpu.values())):
        raise ConfigurationError("--gpu-type and rates of GPUs need --gpus, the number of GPUs")
    cpu_rates = {stage: given[stage.rate_setting] for stage in PLANNED}
    gpu_rates = {stage: gpu_rate(card, stage) for stage in WORK} if card else {}
    gpu_rates |= {stage: Rate(rate, True) for stage, rate in on_gpu.items() if rate is not None}
    scenes = count_masks(arguments.masks)
    print(estimate_text(estimate(scenes, arguments.styles_per_mask, cluster, cpu_rates, gpu_rates)))
    return 0
