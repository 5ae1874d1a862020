"""Checking checkpoints and writing them as safetensors: ``jobs/convert_checkpoint.py``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
import torch.nn.functional as F
from pydantic import field_validator
from torch import Tensor

from spadepis.checkpoints.reading import CheckpointError, read_metadata, read_state_dict, sha256
from spadepis.configuration import Configuration, ConfigurationError
from spadepis.dataset.storage.replacement import replacing
from spadepis.labels.custom import LabelSpaceSetting, find_label_space
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import LEVELS
from spadepis.spade import SpadeGenerator

SUFFIX = ".safetensors"
# Of the made-up input: regions of so many pixels, so many of them a side.
REGION = 16
REGIONS = 8


class ConversionConfig(Configuration):
    """Check a checkpoint and, where an output is given, write its weights as safetensors."""

    network: Literal["spade", "photowct"]
    """Which network the weights are of."""
    checkpoint: str
    """The published latest_net_G.pth or photo_wct.pth, or safetensors; a path or URI."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """That of the SPADE generator: coco-stuff, ade20k, cityscapes, or the YAML file of a label
    space of your own."""
    output: Path | None = None
    """File to write, NAME.safetensors. Default: none, the checkpoint is only checked."""
    half: bool = False
    """Store matrices in float16, which halves the file; vectors stay as they are."""

    @field_validator("output")
    @classmethod
    def _is_safetensors(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix != SUFFIX:
            raise ValueError(f"the file's name must end in {SUFFIX}")
        return value


def convert_checkpoint(config: ConversionConfig) -> int:
    """Check a checkpoint, write it as safetensors if asked for, and print what both hold.

    The tensors keep their names, but for a ``module.`` prefix, and their values, but for the
    rounding to half precision; spectral norm is not folded, so that nothing is lost. The file
    that was written is read again, and its pictures are compared with those of the source.

    Returns:
        Exit status 0.

    Raises:
        CheckpointError: the checkpoint cannot be read, does not fit the network or the label
            space, gives values that are not finite, or does not bear half precision.
        ConfigurationError: flags that do not go together, or the output cannot be written.
    """
    if config.half and config.output is None:
        raise ConfigurationError("--half goes with --output")
    if config.network == "photowct" and "label_space" in config.model_fields_set:
        raise ConfigurationError("photowct takes no --label-space")
    source = _check(config, config.checkpoint)
    if config.output is None:
        return 0
    weights = read_state_dict(config.checkpoint)
    if config.half:
        weights = halve_matrices(weights)
    _write(config.output, weights, read_metadata(config.checkpoint))
    difference = _check(config, str(config.output)) - source
    print(
        f"the pictures differ by {difference.square().mean().sqrt():.3g} levels of 255 (RMS), "
        f"{difference.abs().max():.3g} at most"
    )
    return 0


def halve_matrices(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with all tensors of two and more dimensions in float16.

    Vectors are few; among them are the batch-norm statistics, whose range float16 may not hold.

    Raises:
        CheckpointError: a value is too large for float16.
    """
    halved = {key: value.half() if value.ndim > 1 else value for key, value in weights.items()}
    for key, value in halved.items():
        if not value.isfinite().all():
            raise CheckpointError(f"{key} has values that float16 does not hold")
    return halved


def spade_picture(generator: SpadeGenerator) -> Tensor:
    """What a generator makes of a made-up label map, [3,H,W] in levels of 255."""
    random = torch.Generator().manual_seed(0)
    regions = torch.randint(generator.label_space.num_classes, (REGIONS, REGIONS), generator=random)
    labels = regions.repeat_interleave(REGION, 0).repeat_interleave(REGION, 1)
    picture: Tensor = generator(labels[None])[0]
    return (picture + 1) * 127.5


def photowct_picture(network: PhotoWCT) -> Tensor:
    """What PhotoWCT makes of a made-up photo and style, [3,H,W] in levels of 255, unclipped."""
    random = torch.Generator().manual_seed(0)
    colours = torch.rand(2, 3, REGIONS, REGIONS, generator=random)
    photos = F.interpolate(colours, scale_factor=REGION, mode="bicubic").clamp(0, 1)
    content, style = (photos + 0.02 * torch.randn(photos.shape, generator=random)).clamp(0, 1)
    return network.stylize(content, [network.encode_style(style)])[0] * 255


def _check(config: ConversionConfig, uri: str) -> Tensor:
    """Load a file, print what it holds, and return the picture that its network makes."""
    if config.network == "spade":
        generator = SpadeGenerator.from_checkpoint(uri, find_label_space(config.label_space))
        parameters, picture = generator.parameters(), spade_picture(generator)
        name = f"SPADE generator for {generator.label_space.name}"
        base_width = generator.conv_img.in_channels
        hidden_width = generator.head_0.norm_0.mlp_gamma.in_channels
        widths = f"{base_width} channels at the end, {hidden_width} inside each SPADE"
    else:
        network = PhotoWCT.from_checkpoint(uri)
        parameters, picture = network.parameters(), photowct_picture(network)
        name = "PhotoWCT"
        shapes = network.state_dict()
        channels = (len(shapes[f"e{level}.conv{level}_1.weight"]) for level in LEVELS[::-1])
        widths = f"{', '.join(map(str, channels))} channels at levels 1 to 4"
    if not picture.isfinite().all():
        raise CheckpointError(f"checkpoint {uri} gives values that are not finite")
    weights = read_state_dict(uri)
    kinds = Counter(str(value.dtype).removeprefix("torch.") for value in weights.values())
    kinds_of_tensors = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    bytes_of_tensors = sum(value.nbytes for value in weights.values())
    print(f"{uri}: {name}")
    print(f"  widths      {widths}")
    print(f"  parameters  {sum(value.numel() for value in parameters):,}")
    print(f"  tensors     {len(weights)} ({kinds_of_tensors}), {bytes_of_tensors / 1e6:.1f} MB")
    print(f"  SHA-256     {sha256(uri)}")
    print(f"  picture     levels {picture.min():.0f} to {picture.max():.0f}, from a made-up input")
    return picture


def _write(path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write safetensors so that the file appears whole or not at all."""
    tensors = {key: value.contiguous() for key, value in weights.items()}
    try:
        with replacing(path) as unfinished:
            safetensors.torch.save_file(tensors, unfinished, dict(metadata) or None)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror})") from error
