"""SPADE as the paper writes it: every convolution of the label map at every pixel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.labels import LabelSpace

BATCH_NORM_EPSILON = 1e-5


def synthesize_densely(
    weights: Mapping[str, Tensor], label_space: LabelSpace, labels: Tensor, edges: Tensor | None
) -> Tensor:
    """Synthesize photos from label maps [N,H,W] as ``SpadeGenerator`` does: [N,3,H,W].

    Park et al., "Semantic Image Synthesis with Spatially-Adaptive Normalization", CVPR 2019,
    eq. 1 and fig. 4, 11. Layouts in memory are those of the weights.
    """
    semantics = _one_hot(weights, label_space, labels, edges)

    def convolve(name: str, x: Tensor) -> Tensor:
        weight = weights[f"{name}.weight"]
        return F.conv2d(x, weight, weights.get(f"{name}.bias"), padding=weight.shape[2] // 2)

    def modulate(name: str, x: Tensor) -> Tensor:
        shrunk = F.interpolate(semantics, size=x.shape[2:], mode="nearest")
        hidden = F.relu(convolve(f"{name}.mlp_shared.0", shrunk))
        mean = weights[f"{name}.param_free_norm.running_mean"]
        variance = weights[f"{name}.param_free_norm.running_var"]
        normalized = F.batch_norm(x, mean, variance, eps=BATCH_NORM_EPSILON)
        scale = 1 + convolve(f"{name}.mlp_gamma", hidden)
        return normalized * scale + convolve(f"{name}.mlp_beta", hidden)

    def block(name: str, x: Tensor) -> Tensor:
        learned = f"{name}.conv_s.weight" in weights
        shortcut = convolve(f"{name}.conv_s", modulate(f"{name}.norm_s", x)) if learned else x
        for i in range(2):
            x = convolve(f"{name}.conv_{i}", F.leaky_relu(modulate(f"{name}.norm_{i}", x), 0.2))
        return shortcut + x

    height, width = labels.shape[1:]
    x = convolve("fc", F.interpolate(semantics, size=(height // 32, width // 32), mode="nearest"))
    x = block("head_0", x)
    x = block("G_middle_0", F.interpolate(x, scale_factor=2, mode="nearest"))
    x = block("G_middle_1", x)
    for i in range(4):
        x = block(f"up_{i}", F.interpolate(x, scale_factor=2, mode="nearest"))
    return torch.tanh(convolve("conv_img", F.leaky_relu(x, 0.2)))


def _one_hot(
    weights: Mapping[str, Tensor], label_space: LabelSpace, labels: Tensor, edges: Tensor | None
) -> Tensor:
    """One channel a class, then the edges: [N,S,H,W]."""
    weight = weights["fc.weight"]
    labels = labels.to(weight.device)
    size = (len(labels), label_space.num_classes, *labels.shape[1:])
    planes = torch.zeros(size, device=weight.device, dtype=weight.dtype)
    planes.scatter_(1, labels.unsqueeze(1), 1)
    if edges is not None:
        planes = torch.cat([planes, edges.unsqueeze(1).to(planes)], dim=1)
    return planes
