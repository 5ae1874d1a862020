"""MOSAIC, a segmentation network for the 31 most frequent classes of ADE20K."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor


class Mosaic:
    """The network of Wang et al. (2021), trained on ADE20K.

    Args:
        path: the tflite file without its last operator: uint8 RGB [1,S,S,3] to logits
            [1,S/4,S/4,C], channel k being the raw value k of ADE20K and 0 any other class.
    """

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(str(path), num_threads=torch.get_num_threads())
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    @property
    def channels(self) -> int:
        """Number of channels of the logits."""
        return int(self._output["shape"][-1])

    def __call__(self, image: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """The logits of each class in each pixel of a picture.

        Args:
            image: [3,H,W] in [0,1].
            size: height and width of the result. Default: those of the picture.

        Returns:
            float [C,height,width].
        """
        side = tuple(self._input["shape"][1:3])
        resized = F.interpolate(image[None], side, mode="bilinear", antialias=True)
        pixels = (resized.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        self._interpreter.set_tensor(self._input["index"], pixels.contiguous().numpy())
        self._interpreter.invoke()
        quantized = self._interpreter.get_tensor(self._output["index"]).astype(np.float32)
        # The zero point is the same in all channels: it changes neither order nor probabilities.
        logits = torch.from_numpy(quantized * self._output["quantization"][0]).permute(0, 3, 1, 2)
        return F.interpolate(logits, size or image.shape[1:], mode="bilinear")[0]
