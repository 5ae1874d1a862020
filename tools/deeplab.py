"""DeepLab, a segmentation network for the 20 kinds of objects of PASCAL VOC."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch.nn.functional as F
from torch import Tensor

from tools.tflite import TfliteNetwork

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
        self._network = TfliteNetwork(path)

    def __call__(self, image: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """The logits of each of ``CLASSES`` in each pixel of a picture.

        Args:
            image: [3,H,W] in [0,1].
            size: height and width of the result. Default: those of the picture.

        Returns:
            float [21,height,width].
        """
        logits = self._network(2 * self._network.resize(image) - 1)
        return F.interpolate(logits, size or image.shape[1:], mode="bilinear")[0]
