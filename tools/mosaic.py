"""MOSAIC, a segmentation network for the 31 most frequent classes of ADE20K."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from tools.tflite import TfliteNetwork


class Mosaic:
    """The network of Wang et al. (2021), trained on ADE20K.

    Args:
        path: the tflite file without its last operator: uint8 RGB [1,S,S,3] to logits
            [1,S/4,S/4,C], channel k being the raw value k of ADE20K and 0 any other class.
    """

    def __init__(self, path: Path) -> None:
        self._network = TfliteNetwork(path)

    @property
    def channels(self) -> int:
        """Number of channels of the logits."""
        return self._network.channels

    def __call__(self, image: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """The logits of each class in each pixel of a picture.

        Args:
            image: [3,H,W] in [0,1].
            size: height and width of the result. Default: those of the picture.

        Returns:
            float [C,height,width].
        """
        pixels = (self._network.resize(image) * 255).round().to(torch.uint8)
        # The zero point is the same in all channels: it changes neither order nor probabilities.
        logits = self._network(pixels) * self._network.scale
        return F.interpolate(logits, size or image.shape[1:], mode="bilinear")[0]
