"""``spadepis checkpoints``: which checkpoints there are, and whether they are sound."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINT
from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.release import RELEASED_PHOTOWCT, RELEASED_SPADE
from spadepis.configuration import ConfigurationError
from spadepis.dataset.storage.filesystems import filesystem
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF, LabelSpace
from spadepis.labels.custom import find_label_space
from spadepis.labels.published import LABEL_SPACES

SUFFIX = ".safetensors"
DEFAULTS: Mapping[str, LabelSpace | None] = {
    DEFAULT_SPADE_CHECKPOINT: COCO_STUFF,
    DEFAULT_PHOTOWCT_CHECKPOINT: None,
}


def _local_path(text: str) -> Path:
    """A path on this machine; to an object store these files are not written."""
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text} is no local path")
    return Path(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument(
        "uri",
        nargs="?",
        help="a folder with the published checkpoints, as --checkpoints of a job takes it, or one "
        "file of weights (default: the models that come with spadepis)",
    )
    parser.add_argument(
        "--label-space",
        help="YAML file of the label space of a generator of your own; published ones are "
        "recognized",
    )
    parser.add_argument(
        "--output", type=_local_path, help=f"also write the weights of one file as NAME{SUFFIX}"
    )
    parser.add_argument(
        "--half", action="store_true", help="round matrices to float16, which halves that file"
    )


def run(arguments: argparse.Namespace) -> int:
    """Check checkpoints, convert one if asked to, and return the exit status.

    Raises:
        ConfigurationError: flags that do not go together, or nothing is there to be checked.
        CheckpointError: a checkpoint cannot be read, or is unsound. Those of a folder are all
            checked first.
    """
    if arguments.half and arguments.output is None:
        raise ConfigurationError("--half needs --output")
    if arguments.output is not None and arguments.output.suffix != SUFFIX:
        raise ConfigurationError(f"--output {arguments.output}: the name must end in {SUFFIX}")
    for_one_file = arguments.output is not None or arguments.label_space is not None
    if arguments.uri is None:
        if for_one_file:
            raise ConfigurationError("--output and --label-space are for one file: name it")
        return _check_all(DEFAULTS)
    fs, path = filesystem(arguments.uri)
    if not fs.isdir(path):
        return _check_file(arguments)
    if for_one_file:
        raise ConfigurationError("--output and --label-space are for one file, not for a folder")
    return _check_all(_released_in(Folder(arguments.uri)))


def _released_in(folder: Folder) -> Mapping[str, LabelSpace | None]:
    """The published checkpoints in a folder; those that are missing are named in the output."""
    spaces = {file: LABEL_SPACES[name] for name, file in RELEASED_SPADE.items()}
    files: dict[str, LabelSpace | None] = {}
    for name in (*spaces, RELEASED_PHOTOWCT):
        if folder.exists(name):
            files[folder.uri_of(name)] = spaces.get(name)
        else:
            print(f"{folder.uri_of(name)}: not there")
    if not files:
        raise ConfigurationError(
            f"{folder.uri} has none of the published checkpoints; docs/checkpoints.md says where "
            "to get them"
        )
    return files


def _check_all(files: Mapping[str, LabelSpace | None]) -> int:
    """Check the files, each with the label space of its generator, or None for PhotoWCT."""
    # PyTorch takes a while to import, which a wrong flag should not.
    from spadepis.checkpoint_check import check

    errors: list[CheckpointError] = []
    for uri, space in files.items():
        try:
            check(uri, space)
        except CheckpointError as error:
            print(f"{uri}: cannot be used")
            errors.append(error)
    if errors:
        raise CheckpointError("; ".join(map(str, errors)))
    return 0


def _check_file(arguments: argparse.Namespace) -> int:
    from spadepis.checkpoint_check import check, convert, recognize

    own = arguments.label_space and find_label_space(arguments.label_space)
    space = recognize(arguments.uri, own)
    if arguments.output is None:
        check(arguments.uri, space)
    else:
        convert(arguments.uri, space, arguments.output, arguments.half)
    return 0
