"""Folding spectral norm into plain weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from spadepis.checkpoints.errors import CheckpointError


def fold_spectral_norm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace every spectrally normalized weight by the weight the network computes with.

    Miyato et al. (ICLR 2018), eq. 8: ``W / sigma`` with ``sigma = u^T W v``, W reshaped to
    [outputs, rest] and u, v the stored singular vectors. Files of old PyTorch versions lack v,
    which one step of the power iteration restores: ``v = W^T u / |W^T u|``.

    Args:
        weights: a state dict with ``*.weight_orig``, ``*.weight_u`` and, usually, ``*.weight_v``.

    Returns:
        The state dict with ``*.weight`` in their place; all other tensors as they are.

    Raises:
        CheckpointError: a weight without its ``u``.
    """
    folded = {
        key: tensor
        for key, tensor in weights.items()
        if not key.endswith((".weight_orig", ".weight_u", ".weight_v"))
    }
    for key, original in weights.items():
        name, _, suffix = key.rpartition(".")
        if suffix != "weight_orig":
            continue
        if f"{name}.weight_u" not in weights:
            raise CheckpointError(f"checkpoint has {key} without {name}.weight_u")
        matrix = original.flatten(1).double()
        u = weights[f"{name}.weight_u"].double()
        stored_v = weights.get(f"{name}.weight_v")
        v = F.normalize(matrix.T @ u, dim=0) if stored_v is None else stored_v.double()
        sigma = u @ (matrix @ v)
        folded[f"{name}.weight"] = (original.double() / sigma).to(original.dtype)
    return folded
