"""Label maps to photos."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.kernels.precision import bfloat16_or_float16
from spadepis.labels import LabelSpace
from spadepis.pipeline.scene import Scene, timed_together
from spadepis.pipeline.stages.declarations import SYNTHESIZE
from spadepis.pipeline.stages.device_transfer import are_finite, quantize, split_finite
from spadepis.pipeline.stages.halving import alike, in_halves
from spadepis.pipeline.stages.padding import padded
from spadepis.spade import SpadeGenerator
from spadepis.spade.generator import STRIDE
from spadepis.spade.unlabelled_frame import fill_frame

log = logging.getLogger(__name__)

# On a CPU a batch gains nothing, and one at a time a result does not depend on its neighbours.
CPU_BATCH, GPU_BATCH = 1, 16


class Synthesize:
    """Synthesize the content photo of every scene with SPADE.

    A label map whose sides are no multiples of 32 is padded by repeating its border, and the photo
    is cropped to its size. Scenes of equal padded size make a batch.

    Args:
        checkpoint: path or URI of the generator's weights.
        label_space: label space that the weights were trained for.
        device: device of PyTorch, "cpu" or e.g. "cuda:0".
        half: whether to compute in half precision: bfloat16 or, on GPUs without, float16. What
            overflows then is computed again in float32.
        classes: the class of ``label_space`` for each class of the label maps, by class index; None
            if they are the same.
        content_seed: with the id of the scene, the seed of the noise that the generator adds.
    """

    declaration: ClassVar = SYNTHESIZE

    def __init__(
        self,
        checkpoint: str,
        label_space: LabelSpace,
        device: str,
        half: bool,
        classes: Sequence[int] | None = None,
        content_seed: int = 0,
    ) -> None:
        self.checkpoint = fetch_checkpoint(checkpoint)
        self.label_space = label_space
        self.half = half
        self.classes = None if classes is None else np.array(classes, np.uint8)
        self.content_seed = content_seed
        self.device = device
        self.generator = self._load(bfloat16_or_float16(device) if half else torch.float32)
        self.frame = self.generator.frame
        self.batch = CPU_BATCH if torch.device(device).type == "cpu" else GPU_BATCH

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        """Fill in ``content`` of the scenes that have not failed."""
        waiting = [scene for scene in scenes if scene.is_waiting]
        for group in alike(waiting, key=_padded_size):
            for start in range(0, len(group), self.batch):
                in_halves(self._synthesize, group[start : start + self.batch], _give_up)
        return scenes

    def _synthesize(self, scenes: Sequence[Scene]) -> None:
        with timed_together(SYNTHESIZE.name, scenes):
            photos = self._photos(self.generator, scenes)
            if self.half:
                for i, scene in enumerate(scenes):
                    if photos[i] is None:
                        log.info("%s: overflows in half precision and is done in float32", scene.id)
                        photos[i : i + 1] = self._photos(self.exact_generator, [scene])
        for scene, photo in zip(scenes, photos, strict=True):
            if photo is None:
                _give_up(scene, FloatingPointError("SPADE's values overflow, also in float32"))
            else:
                height, width = _label_map(scene).shape
                scene.content = photo[:height, :width]

    def _photos(
        self, generator: SpadeGenerator, scenes: Sequence[Scene]
    ) -> list[NDArray[np.uint8] | None]:
        """Photos [H,W,3] of the padded size; None where values overflow."""
        labels, edges = zip(*(self._semantics(scene) for scene in scenes), strict=True)
        label_maps = torch.from_numpy(np.stack(labels))
        edge_maps = None if edges[0] is None else torch.from_numpy(np.stack(edges))
        photos = generator(label_maps, edge_maps, self._seeds(scenes))
        return split_finite(quantize((photos + 1) / 2), are_finite(photos))

    def _semantics(self, scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """The classes that are synthesized and the instance edges, of the padded size."""
        labels, edges = _label_map(scene), scene.edges
        if self.classes is not None:
            labels = self.classes.take(labels)
        if self.frame == "kept":
            return padded(labels), edges
        # Padding would make a frame broader than the generator can tell from a scene.
        (filled,), _ = fill_frame(labels[None], None, self.label_space)
        if edges is not None:
            # As in ``fill_frame``, but edges are those of the padded map already.
            edges = edges & ~maximum_filter(padded(filled != labels), size=3)
        return padded(filled), edges

    @cached_property
    def exact_generator(self) -> SpadeGenerator:
        """The generator in float32."""
        return self._load(torch.float32)

    def _load(self, dtype: torch.dtype) -> SpadeGenerator:
        return SpadeGenerator.from_checkpoint(self.checkpoint, self.label_space, self.device, dtype)

    def _seeds(self, scenes: Sequence[Scene]) -> torch.Tensor:
        """Seeds of the noise, int64 [N]."""
        keys = [f"{self.content_seed}\0{scene.id}".encode() for scene in scenes]
        return torch.tensor([int.from_bytes(sha256(key).digest()[:4], "big") for key in keys])


def _give_up(scene: Scene, error: Exception) -> None:
    scene.fail(SYNTHESIZE.name, scene.source, error)


def _padded_size(scene: Scene) -> tuple[int, int]:
    height, width = (math.ceil(side / STRIDE) * STRIDE for side in _label_map(scene).shape)
    return height, width


def _label_map(scene: Scene) -> NDArray[np.uint8]:
    assert scene.label_map is not None
    return scene.label_map
