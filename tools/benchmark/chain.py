"""From label map to smoothed photo: all stages in one process, with 8 bits between them."""

from __future__ import annotations

import torch
from torch import Tensor

from tools.benchmark.inputs import Inputs
from tools.benchmark.measuring import Case, Form, count_macs
from tools.benchmark.networks import Networks
from tools.benchmark.plain_smoothing import smooth_by_factorization
from tools.benchmark.plain_stylization import stylize_pair
from tools.benchmark.plain_synthesis import synthesize_densely
from tools.benchmark.smoothing import smooth_all, smoothing_work
from tools.benchmark.stylization import as_tensor, encode_styles, stylize
from tools.benchmark.synthesis import synthesize


def chain_case(networks: Networks, inputs: Inputs, device: str) -> Case:
    """All stages beside the published form of each; a result is a pair.

    The textbook form starts from the label map for each pair; the fast form synthesizes a label
    map once for its K styles.
    """
    labels = inputs.labels.to(device)
    edges = None if inputs.edges is None else inputs.edges.to(device)
    photos = as_tensor(inputs.styles, device)
    styles = encode_styles(networks, photos)

    def stylized() -> tuple[Tensor, Tensor]:
        contents = _levels((synthesize(networks, labels, edges, device) + 1) / 2)
        guides = contents.permute(0, 3, 1, 2) / 255
        return contents, _levels(stylize(networks, guides, styles)) / 255

    def fast() -> Tensor:
        return smooth_all(*stylized()).flatten(0, 1)

    def plain() -> Tensor:
        edge = None if edges is None else edges[:1]
        space = networks.spade.label_space
        photo = synthesize_densely(networks.spade_weights, space, labels[:1], edge)
        content = _levels((photo + 1) / 2)
        guide = content.permute(0, 3, 1, 2) / 255
        pair = _levels(stylize_pair(networks.photowct_weights, guide, photos[:1])) / 255
        smoothed = smooth_by_factorization(content[0].cpu().numpy(), pair[0].cpu().numpy())
        return torch.from_numpy(smoothed[None])

    macs, _ = smoothing_work(*stylized())
    return Case(
        stage="chain",
        size=labels.shape[-1],
        styles=len(styles),
        fast=Form(fast, len(labels) * len(styles), device),
        plain=Form(plain, 1, device),
        macs=macs + count_macs(lambda: stylized()[1]),
    )


def _levels(images: Tensor) -> Tensor:
    """Clip [...,3,H,W] to [0,1] and round to uint8 [...,H,W,3]."""
    return images.float().clamp(0, 1).mul(255).round().byte().movedim(-3, -1).contiguous()
