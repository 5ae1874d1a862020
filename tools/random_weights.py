"""Random weights by a seed, as shared by the published outputs and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Weights = dict[str, Tensor]


def random_weights(shapes: Mapping[str, Any], seed: int) -> Weights:
    """Weights and biases of the given shapes that keep the scale of features."""
    generator = np.random.default_rng(seed)
    weights: Weights = {}
    for key in sorted(shapes):
        if key.rpartition(".")[2] not in ("weight", "weight_orig", "bias"):
            continue
        shape = tuple(shapes[key])
        values = generator.standard_normal(shape, dtype=np.float32)
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) >= 2 else 0.1
        weights[key] = torch.from_numpy(values * np.float32(scale))
    return weights
