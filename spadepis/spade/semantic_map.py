"""A batch of label maps in the forms that the generator needs, at every resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.spade.neighbourhoods import Neighbourhoods, find_neighbourhoods


class SemanticMap:
    """Label maps and instance edges, shrunk to each resolution once.

    Shrinking is top-left nearest neighbour, as the published networks were trained.

    Args:
        labels: class indices, int64 [N,H,W].
        edges: instance edges, bool [N,H,W], or None where the label space has none.
        num_classes: number of classes of the label space.
        dtype: dtype of the one-hot form.
    """

    def __init__(
        self, labels: Tensor, edges: Tensor | None, num_classes: int, dtype: torch.dtype
    ) -> None:
        self.labels = labels
        self.edges = edges
        self.num_classes = num_classes
        self.dtype = dtype
        self._one_hot: dict[int, Tensor] = {}
        self._neighbourhoods: dict[int, Neighbourhoods] = {}

    def one_hot(self, height: int) -> Tensor:
        """One-hot classes, followed by the edges if there are any, [N,S,height,width]."""
        if height not in self._one_hot:
            labels, edges = self._shrunk(height)
            classes = F.one_hot(labels, self.num_classes).permute(0, 3, 1, 2)
            planes = classes if edges is None else torch.cat([classes, edges.unsqueeze(1)], dim=1)
            self._one_hot[height] = planes.to(self.dtype)
        return self._one_hot[height]

    def neighbourhoods(self, height: int) -> Neighbourhoods:
        """The distinct neighbourhoods at a resolution."""
        if height not in self._neighbourhoods:
            labels, edges = self._shrunk(height)
            self._neighbourhoods[height] = find_neighbourhoods(labels, edges, self.num_classes)
        return self._neighbourhoods[height]

    def _shrunk(self, height: int) -> tuple[Tensor, Tensor | None]:
        step = self.labels.shape[1] // height
        edges = None if self.edges is None else self.edges[:, ::step, ::step]
        return self.labels[:, ::step, ::step], edges
