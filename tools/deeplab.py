"""DeepLab, a segmentation network for the 20 kinds of objects of PASCAL VOC."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor

# The channels of the network's output.
CLASSES: Final = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dining table",
    "dog",
    "horse",
    "motorbike",
    "person",
    "potted plant",
    "sheep",
    "sofa",
    "train",
    "tv monitor",
)


class DeepLab:
    """DeepLabv3 on MobileNetV2 (Chen et al., 2017; Sandler et al., CVPR 2018).

    Args:
        path: ``deeplabv3_257_mv_gpu.tflite``, an example of TensorFlow Lite (Apache-2.0): RGB in
            [-1,1], float32 [1,S,S,3], to logits [1,S,S,21].
    """

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(str(path), num_threads=torch.get_num_threads())
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def __call__(self, image: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """The logits of each of ``CLASSES`` in each pixel of a picture.

        Args:
            image: [3,H,W] in [0,1].
            size: height and width of the result. Default: those of the picture.

        Returns:
            float [21,height,width].
        """
        side = tuple(self._input["shape"][1:3])
        resized = F.interpolate(image[None], side, mode="bilinear", antialias=True)
        pixels = (2 * resized.clamp(0, 1) - 1).permute(0, 2, 3, 1)
        self._interpreter.set_tensor(self._input["index"], pixels.contiguous().numpy())
        self._interpreter.invoke()
        logits = torch.from_numpy(self._interpreter.get_tensor(self._output["index"]))
        return F.interpolate(logits.permute(0, 3, 1, 2), size or image.shape[1:], mode="bilinear")[
            0
        ]
