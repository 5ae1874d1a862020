"""``spadepis figure``: some scenes of an image set in one picture."""

from __future__ import annotations

import argparse

from spadepis.cli.numbers import positive_integer
from spadepis.report.contact_sheet import write_figure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("uri", help="output folder of a finished job")
    parser.add_argument(
        "--rows", type=positive_integer, default=6, help="number of scenes (default: %(default)s)"
    )
    parser.add_argument(
        "--output", default="figure.png", help="PNG, PDF or JPEG file (default: %(default)s)"
    )
    parser.add_argument("--label-space", help="YAML file, for sets in a label space of your own")


def run(arguments: argparse.Namespace) -> int:
    """Write the picture, print where it is, and return the exit status.

    Raises:
        ConfigurationError: there is no finished image set, or the file cannot be written.
    """
    print(write_figure(arguments.uri, arguments.output, arguments.rows, arguments.label_space))
    return 0
