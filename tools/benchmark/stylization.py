"""PhotoWCT with K styles of a photo together, and pair by pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.photowct import StyleStatistics
from tools.benchmark.inputs import Inputs
from tools.benchmark.measuring import Case, Form, count_macs
from tools.benchmark.networks import Networks
from tools.benchmark.plain_stylization import stylize_pair


def stylization_case(networks: Networks, inputs: Inputs, device: str) -> Case:
    """PhotoWCT beside its published form; a result is a pair.

    The fast form is given the statistics of the styles, because all contents share them; the
    textbook form encodes the style of each pair.
    """
    contents = as_tensor(inputs.contents, device)
    photos = as_tensor(inputs.styles, device)
    styles = encode_styles(networks, photos)
    pairs = len(contents) * len(styles)
    first = count_macs(lambda: stylize(networks, contents[:1], styles))
    return Case(
        stage="stylization",
        size=contents.shape[-1],
        styles=len(styles),
        fast=Form(lambda: stylize(networks, contents, styles).flatten(0, 1), pairs, device),
        plain=Form(
            lambda: stylize_pair(networks.photowct_weights, contents[:1], photos[:1]), 1, device
        ),
        macs=first * len(contents),
    )


def encode_styles(networks: Networks, photos: Tensor) -> list[StyleStatistics]:
    """Statistics of each of the photos [K,3,H,W] in [0,1]."""
    return [networks.photowct.encode_style(photo) for photo in photos]


def stylize(networks: Networks, contents: Tensor, styles: Sequence[StyleStatistics]) -> Tensor:
    """Stylize each content [N,3,H,W] in [0,1] with each of K styles: [N,K,3,H,W]."""
    return torch.stack([networks.photowct.stylize(content, styles) for content in contents])


def as_tensor(images: NDArray[np.uint8], device: str) -> Tensor:
    """Images [N,H,W,3] as [N,3,H,W] in [0,1]."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2) / 255
