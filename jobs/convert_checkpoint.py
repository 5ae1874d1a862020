"""Check a checkpoint and, where an output is given, write its weights as safetensors."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import field_validator
from torch import Tensor

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.fetching import sha256
from spadepis.checkpoints.reading import read_metadata, read_state_dict
from spadepis.checkpoints.writing import halve_matrices, write_weights
from spadepis.cli.exit_status import exit_status
from spadepis.configuration import Configuration, ConfigurationError, parse_settings
from spadepis.labels.custom import LabelSpaceSetting, find_label_space
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import LEVELS
from spadepis.spade import SpadeGenerator

SUFFIX = ".safetensors"
# The made-up input consists of 8x8 regions of 16x16 pixels.
REGION_SIDE = 16
REGIONS = 8


class ConversionConfig(Configuration):
    """Check a checkpoint and, where an output is given, write its weights as safetensors."""

    network: Literal["spade", "photowct"]
    """The network that the weights belong to."""
    checkpoint: str
    """The published latest_net_G.pth or photo_wct.pth, or safetensors; a path or URI."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """Label space of the SPADE generator: coco-stuff, ade20k, cityscapes, or the YAML file of a
    label space of your own."""
    output: Path | None = None
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
    """Check a checkpoint, write it as safetensors if asked to, and print what both files hold.

    The tensors keep their names, except for a ``module.`` prefix, and their values, except for
    rounding to half precision; spectral norm is not folded, so that nothing is lost. The new file
    is read back, and a picture made with it is compared with one made with the source.

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
    source = _check(config, config.checkpoint)
    if config.output is None:
        return 0
    weights = read_state_dict(config.checkpoint)
    if config.half:
        weights = halve_matrices(weights)
    try:
        write_weights(config.output, weights, read_metadata(config.checkpoint))
    except OSError as error:
        message = f"{config.output} cannot be written ({error.strerror})"
        raise ConfigurationError(message) from error
    difference = _check(config, str(config.output)) - source
    print(
        f"the pictures differ by {difference.square().mean().sqrt():.3g} levels of 255 (RMS), "
        f"{difference.abs().max():.3g} at most"
    )
    return 0


def spade_picture(generator: SpadeGenerator) -> Tensor:
    """What a generator makes of a made-up label map, [3,H,W] in levels of 255."""
    random = torch.Generator().manual_seed(0)
    regions = torch.randint(generator.label_space.num_classes, (REGIONS, REGIONS), generator=random)
    labels = regions.repeat_interleave(REGION_SIDE, 0).repeat_interleave(REGION_SIDE, 1)
    picture: Tensor = generator(labels[None])[0]
    return (picture + 1) * 127.5


def photowct_picture(network: PhotoWCT) -> Tensor:
    """What PhotoWCT makes of a made-up photo and style, [3,H,W] in levels of 255, unclipped."""
    random = torch.Generator().manual_seed(0)
    colours = torch.rand(2, 3, REGIONS, REGIONS, generator=random)
    photos = F.interpolate(colours, scale_factor=REGION_SIDE, mode="bicubic").clamp(0, 1)
    content, style = (photos + 0.02 * torch.randn(photos.shape, generator=random)).clamp(0, 1)
    return network.stylize(content, [network.encode_style(style)])[0] * 255


def _check(config: ConversionConfig, uri: str) -> Tensor:
    """Load a file, print what it holds, and return the picture that its network makes."""
    network: SpadeGenerator | PhotoWCT
    if config.network == "spade":
        network = SpadeGenerator.from_checkpoint(uri, find_label_space(config.label_space))
        picture, description = spade_picture(network), _describe_spade(network)
    else:
        network = PhotoWCT.from_checkpoint(uri)
        picture, description = photowct_picture(network), _describe_photowct(network)
    if not picture.isfinite().all():
        raise CheckpointError(f"checkpoint {uri} gives values that are not finite")
    weights = read_state_dict(uri)
    dtypes = Counter(str(value.dtype).removeprefix("torch.") for value in weights.values())
    counts = ", ".join(f"{count} {dtype}" for dtype, count in dtypes.most_common())
    megabytes = sum(value.nbytes for value in weights.values()) / 1e6
    print(f"{uri}: {description}")
    print(f"  parameters  {sum(value.numel() for value in network.parameters()):,}")
    print(f"  tensors     {len(weights)} ({counts}), {megabytes:.1f} MB")
    print(f"  SHA-256     {sha256(uri)}")
    print(f"  picture     levels {picture.min():.0f} to {picture.max():.0f}, from a made-up input")
    return picture


def _describe_spade(generator: SpadeGenerator) -> str:
    base_width = generator.conv_img.in_channels
    hidden_width = generator.head_0.norm_0.mlp_gamma.in_channels
    return (
        f"SPADE generator for {generator.label_space.name}\n"
        f"  widths      {base_width} channels at the end, {hidden_width} inside each SPADE"
    )


def _describe_photowct(network: PhotoWCT) -> str:
    shapes = network.state_dict()
    channels = (len(shapes[f"e{level}.conv{level}_1.weight"]) for level in LEVELS[::-1])
    return f"PhotoWCT\n  widths      {', '.join(map(str, channels))} channels at levels 1 to 4"


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(exit_status(lambda: convert_checkpoint(parse_settings(ConversionConfig, arguments))))
