"""SPADE by distinct neighbourhoods, and densely."""

from __future__ import annotations

import torch
from torch import Tensor

from tools.benchmark.inputs import Inputs
from tools.benchmark.measuring import Case, Form, count_macs
from tools.benchmark.networks import Networks
from tools.benchmark.plain_synthesis import synthesize_densely

# Label maps in a batch, as in the pipeline.
BATCH = {"cpu": 1, "cuda": 16}


def synthesis_case(networks: Networks, inputs: Inputs, device: str) -> Case:
    """SPADE beside its dense form; a result is a photo."""
    labels = inputs.labels.to(device)
    edges = None if inputs.edges is None else inputs.edges.to(device)
    count, _, size = labels.shape

    def plain() -> Tensor:
        parts = _batches(labels, edges, device)
        space = networks.spade.label_space
        return torch.cat([synthesize_densely(networks.spade_weights, space, *p) for p in parts])

    return Case(
        stage="synthesis",
        size=size,
        styles=None,
        fast=Form(lambda: synthesize(networks, labels, edges, device), count, device),
        plain=Form(plain, count, device),
        macs=count_macs(lambda: synthesize(networks, labels, edges, device)),
    )


def synthesize(networks: Networks, labels: Tensor, edges: Tensor | None, device: str) -> Tensor:
    """Photos [N,3,H,W] in [-1,1] from label maps [N,H,W]."""
    return torch.cat([networks.spade(*part) for part in _batches(labels, edges, device)])


def _batches(
    labels: Tensor, edges: Tensor | None, device: str
) -> list[tuple[Tensor, Tensor | None]]:
    starts = range(0, len(labels), BATCH[device])
    parts = [slice(start, start + BATCH[device]) for start in starts]
    return [(labels[part], None if edges is None else edges[part]) for part in parts]
