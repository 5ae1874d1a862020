"""``spadepis demo``: an image set from what comes with spadepis."""

from __future__ import annotations

import argparse

from spadepis.demo.run import OUTPUT, demo_config, run_demo
from spadepis.labels.custom import LABEL_SPACE_CHOICES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument(
        "--output", default=OUTPUT, help="folder of the image set (default: %(default)s)"
    )
    parser.add_argument("--styles", help="your own style photos: a folder, a glob or a file")
    parser.add_argument("--masks", help="your own label maps: a folder, a glob or a file")
    parser.add_argument("--instances", help="the instance maps that belong to your label maps")
    parser.add_argument(
        "--label-space",
        default="coco-stuff",
        help=f"what the values of your label maps mean: {LABEL_SPACE_CHOICES} "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--accept-implausible",
        action="store_true",
        help="run even if your label maps do not look like those of the label space",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration, and return the exit status.

    Raises:
        ConfigurationError: the inputs cannot be used; nothing was written.
        CheckpointError: a checkpoint does not fit; nothing was written.
    """
    inputs = arguments.masks, arguments.instances, arguments.styles
    config = demo_config(
        arguments.output,
        *inputs,
        label_space=arguments.label_space,
        accept_implausible=arguments.accept_implausible,
    )
    return run_demo(config)
