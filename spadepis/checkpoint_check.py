"""Checking that the weights in a file make pictures, and writing them as safetensors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.fetching import sha256
from spadepis.checkpoints.reading import read_metadata, read_state_dict
from spadepis.checkpoints.writing import halve_matrices, write_weights
from spadepis.configuration import ConfigurationError
from spadepis.labels import LabelSpace
from spadepis.labels.published import LABEL_SPACES
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import LEVELS
from spadepis.spade import SpadeGenerator

# The made-up input consists of 8x8 regions of 16x16 pixels.
REGION_SIDE = 16
REGIONS = 8
# Weights whose shape tells how many input channels a SPADE generator has.
INPUT_KEY = "fc.weight"


def check(uri: str, space: LabelSpace | None) -> Tensor:
    """Load a checkpoint, print what it holds, and return the picture that its network makes.

    Args:
        uri: of the checkpoint.
        space: label space of the SPADE generator; None for PhotoWCT.

    Raises:
        CheckpointError: the file cannot be read, does not fit the network, or gives values that
            are not finite.
    """
    network: SpadeGenerator | PhotoWCT
    if space is not None:
        network = SpadeGenerator.from_checkpoint(uri, space)
        picture, description = spade_picture(network), _describe_spade(network)
    else:
        network = PhotoWCT.from_checkpoint(uri)
        picture, description = photowct_picture(network), _describe_photowct(network)
    if not picture.isfinite().all():
        raise CheckpointError(f"checkpoint {uri} gives values that are not finite")
    weights = read_state_dict(uri)
    dtypes = Counter(str(value.dtype).removeprefix("torch.") for value in weights.values())
    counts = ", ".join(f"{count} {dtype}" for dtype, count in sorted(dtypes.items()))
    megabytes = sum(value.nbytes for value in weights.values()) / 1e6
    print(f"{uri}: {description}")
    print(f"  parameters  {sum(value.numel() for value in network.parameters()):,}")
    print(f"  tensors     {len(weights)} ({counts}), {megabytes:.1f} MB")
    print(f"  SHA-256     {sha256(uri)}")
    print(f"  picture     levels {picture.min():.0f} to {picture.max():.0f}, from a made-up input")
    return picture


def convert(uri: str, space: LabelSpace | None, output: Path, half: bool) -> None:
    """Check a checkpoint, write it as safetensors, and print what both files hold.

    The tensors keep their names, except for a ``module.`` prefix, and their values, except for
    rounding to half precision; spectral norm is not folded, so that nothing is lost. The new file
    is read back, and a picture made with it is compared with one made with the source.

    Args:
        uri: of the checkpoint.
        space: label space of the SPADE generator; None for PhotoWCT.
        output: the file to write, NAME.safetensors.
        half: whether matrices are rounded to float16.

    Raises:
        CheckpointError: as ``check``; or a value is out of the range of half precision.
        ConfigurationError: the output cannot be written.
    """
    source = check(uri, space)
    weights = read_state_dict(uri)
    if half:
        weights = halve_matrices(weights)
    try:
        write_weights(output, weights, read_metadata(uri))
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written ({error.strerror})") from error
    difference = check(str(output), space) - source
    print(
        f"the pictures differ by {difference.square().mean().sqrt():.3g} levels of 255 (RMS), "
        f"{difference.abs().max():.3g} at most"
    )


def recognize(uri: str, own: LabelSpace | None = None) -> LabelSpace | None:
    """The label space of a file that holds a SPADE generator; None if it seems to hold PhotoWCT.

    Args:
        uri: of the checkpoint.
        own: the label space of a generator that was trained for another one than the published.

    Raises:
        CheckpointError: the file cannot be read, or no label space has so many input channels.
    """
    weights = read_state_dict(uri)
    if INPUT_KEY not in weights:
        return None
    channels = weights[INPUT_KEY].shape[1]
    spaces = LABEL_SPACES.values() if own is None else [own]
    for space in spaces:
        if space.semantic_channels == channels:
            return space
    names = ", ".join(f"{space.name} has {space.semantic_channels}" for space in spaces)
    raise CheckpointError(
        f"checkpoint {uri} is a SPADE generator with {channels} input channels ({names}); "
        "--label-space names the YAML file of its label space"
    )


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
