"""Small networks with random weights, under the keys of the published files."""

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.labels import COCO_STUFF, LabelSpace
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import ENCODER_BLOCKS, LEVELS
from spadepis.spade import SpadeGenerator
from tools.random_weights import Weights, random_weights

__all__ = ["Weights", "photowct_weights", "random_weights", "spade_weights"]

# So many power iterations make u and v of spectral norm exact.
POWER_ITERATIONS = 50


def spade_weights(
    label_space: LabelSpace = COCO_STUFF, base_width: int = 2, seed: int = 0
) -> Weights:
    """Small SPADE weights with spectral norm not yet folded."""
    state = SpadeGenerator(label_space, base_width).state_dict()
    weights: Weights = {}
    random = random_weights({key: value.shape for key, value in state.items()}, seed)
    torch.manual_seed(seed)
    for key, value in state.items():
        layer, _, kind = key.rpartition(".")
        if kind == "running_mean":
            weights[key] = torch.randn_like(value) * 0.1
        elif kind == "running_var":
            weights[key] = torch.rand_like(value) + 0.5
        elif kind == "num_batches_tracked":
            weights[key] = torch.tensor(7)
        elif kind == "weight" and layer.rpartition(".")[2] in ("conv_0", "conv_1", "conv_s"):
            weights |= _with_spectral_norm(key, random[key])
        else:
            weights[key] = random[key]
    return weights


def photowct_weights(width: int = 4, seed: int = 0) -> Weights:
    """Small PhotoWCT weights."""
    widths = {
        level: {name: width * int(name[4]) for block in ENCODER_BLOCKS[level] for name in block}
        for level in LEVELS
    }
    state = PhotoWCT(widths).state_dict()
    return random_weights({key: value.shape for key, value in state.items()}, seed)


def _with_spectral_norm(key: str, weight: Tensor) -> Weights:
    """A weight as PyTorch's spectral norm stores it, with its singular vectors."""
    matrix = weight.flatten(1)
    v = torch.randn(matrix.shape[1])
    for _ in range(POWER_ITERATIONS):
        u = F.normalize(matrix @ v, dim=0)
        v = F.normalize(matrix.T @ u, dim=0)
    return {f"{key}_orig": weight, f"{key}_u": u, f"{key}_v": v}
