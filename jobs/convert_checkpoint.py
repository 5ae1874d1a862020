"""Check a checkpoint and, where an output is given, write its weights as safetensors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from spadepis.checkpoint_check import check, convert
from spadepis.cli.exit_status import exit_status
from spadepis.configuration import Configuration, ConfigurationError, LocalPath, parse_settings
from spadepis.labels.custom import LABEL_SPACE_CHOICES, LabelSpaceSetting, find_label_space

SUFFIX = ".safetensors"


class ConversionConfig(Configuration):
    """Check a checkpoint and, where an output is given, write its weights as safetensors."""

    network: Literal["spade", "photowct"]
    """The network that the weights belong to."""
    checkpoint: str
    """The published latest_net_G.pth or photo_wct.pth, or safetensors; a path or URI."""
    label_space: LabelSpaceSetting = Field(
        default="coco-stuff",
        description=f"Label space of the SPADE generator: {LABEL_SPACE_CHOICES}.",
    )
    output: LocalPath | None = None
    """File to write, NAME.safetensors. Without it the checkpoint is only checked."""
    half: bool = False
    """Store matrices in float16, which halves the file; vectors stay as they are."""

    @field_validator("output")
    @classmethod
    def _is_safetensors(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix != SUFFIX:
            raise ValueError(f"the file's name must end in {SUFFIX}")
        return value


def convert_checkpoint(config: ConversionConfig) -> int:
    """Check a checkpoint, and write it as safetensors if asked to.

    Returns:
        Exit status 0.

    Raises:
        CheckpointError: the checkpoint cannot be read, does not fit the network or the label
            space, gives values that are not finite, or is out of the range of half precision.
        ConfigurationError: flags contradict each other, or the output cannot be written.
    """
    if config.half and config.output is None:
        raise ConfigurationError("--half needs --output")
    if config.network == "photowct" and "label_space" in config.model_fields_set:
        raise ConfigurationError("--label-space is for --network spade only")
    space = find_label_space(config.label_space) if config.network == "spade" else None
    if config.output is None:
        check(config.checkpoint, space)
    else:
        convert(config.checkpoint, space, config.output, config.half)
    return 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(exit_status(lambda: convert_checkpoint(parse_settings(ConversionConfig, arguments))))
