"""Networks in TensorFlow Lite's files, with one input and one output."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor

from spadepis.configuration import ConfigurationError


class TfliteNetwork:
    """A network that takes a picture, and how its output is quantized.

    Args:
        path: the tflite file: [1,S,S,3] to [1,T,T,C].

    Attributes:
        channels: number of channels of the output.
        scale: what a step of a quantized output stands for.

    Raises:
        ConfigurationError: there is no such network in the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._interpreter = Interpreter(str(path), num_threads=torch.get_num_threads())
        except ValueError as error:
            raise ConfigurationError(f"{path} is no file of TensorFlow Lite ({error})") from error
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self.channels = int(self._output["shape"][-1])
        self.scale = float(self._output["quantization"][0])

    def resize(self, image: Tensor) -> Tensor:
        """A picture [3,H,W] in [0,1] at the size of the input, [1,3,S,S]."""
        side = tuple(self._input["shape"][1:3])
        return F.interpolate(image[None], side, mode="bilinear", antialias=True).clamp(0, 1)

    def __call__(self, pixels: Tensor) -> Tensor:
        """The output [1,C,T,T], as float, for pixels [1,3,S,S] of the type of the input."""
        channels_last = pixels.permute(0, 2, 3, 1).contiguous()
        self._interpreter.set_tensor(self._input["index"], channels_last.numpy())
        self._interpreter.invoke()
        output = torch.from_numpy(self._interpreter.get_tensor(self._output["index"]))
        return output.permute(0, 3, 1, 2).float()
