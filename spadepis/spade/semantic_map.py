"""A batch of label maps in the forms that the generator needs, at every resolution."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.spade.neighbourhoods import Neighbourhoods, find_neighbourhoods

# What surrounds a label map in the convolutions of it: zeros in the published networks.
LabelPadding = Literal["replicate", "zeros"]

# Threads of a process that number the label maps of a batch. Their loops run without Python's lock.
NUMBERING_THREADS = 8


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(NUMBERING_THREADS, "numbering")


class SemanticMap:
    """Label maps and instance edges, shrunk to each resolution once.

    Shrinking is top-left nearest neighbour, as the published networks were trained.

    Args:
        labels: class indices, integers [N,H,W] on the CPU.
        edges: instance edges, bool [N,H,W] on the CPU, or None where the label space has none.
        num_classes: number of classes of the label space.
        dtype: dtype of the one-hot form.
        device: where the forms go.
        dense_above: the share of distinct 3x3 neighbourhoods above which the second convolution of
            a normalization is computed at every pixel.
        padding: what surrounds the label maps.
    """

    def __init__(
        self,
        labels: Tensor,
        edges: Tensor | None,
        num_classes: int,
        dtype: torch.dtype,
        device: torch.device,
        dense_above: float,
        padding: LabelPadding = "zeros",
    ) -> None:
        self.labels = labels
        self.edges = edges
        self.num_classes = num_classes
        self.dtype = dtype
        self.device = device
        self.dense_above = dense_above
        self.padding = padding
        self._one_hot: dict[int, Tensor] = {}
        self._neighbourhoods: dict[int, Neighbourhoods] = {}

    def one_hot(self, height: int) -> Tensor:
        """One-hot classes, followed by the edges if there are any, [N,S,height,width]."""
        if height not in self._one_hot:
            labels, edges = self._shrunk(height)
            classes = F.one_hot(labels.to(self.device, torch.int64), self.num_classes)
            planes = classes.permute(0, 3, 1, 2)
            if edges is not None:
                planes = torch.cat([planes, edges.to(self.device).unsqueeze(1)], dim=1)
            self._one_hot[height] = planes.to(self.dtype)
        return self._one_hot[height]

    def neighbourhoods(self, height: int) -> Neighbourhoods:
        """The distinct neighbourhoods at a resolution."""
        if height not in self._neighbourhoods:
            # A GPU is done with a batch before one thread has numbered the next.
            each = map if self.device.type == "cpu" else _threads().map
            found = find_neighbourhoods(
                *self._shrunk(height),
                self.num_classes,
                self.dense_above,
                self.padding == "replicate",
                each,
            )
            self._neighbourhoods[height] = found.to(self.device)
        return self._neighbourhoods[height]

    def to(self, device: torch.device) -> SemanticMap:
        """The same on a device, in copies for which the host does not wait."""
        if device == self.device:
            return self
        moved = copy(self)
        moved.device = device
        moved._one_hot = {}
        moved._neighbourhoods = {
            height: found.to(device) for height, found in self._neighbourhoods.items()
        }
        return moved

    def _shrunk(self, height: int) -> tuple[Tensor, Tensor | None]:
        step = self.labels.shape[1] // height
        edges = None if self.edges is None else self.edges[:, ::step, ::step]
        return self.labels[:, ::step, ::step], edges
