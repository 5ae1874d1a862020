"""How good a SPADE generator is, in figures, on label maps it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spadepis.labels import LabelSpace
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.device_transfer import quantize
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.quality.artifacts import frame, stripes
from spadepis.training.perceptual import LEVELS, PerceptualNetwork, perceptual_distance
from tools.model_evaluation.frechet import as_vectors, frechet_distance
from tools.model_evaluation.judge import JUDGED_CLASSES, Judge, judged_labels, mean_iou

# Feature vectors kept of each picture.
VECTORS_PER_PICTURE = 256


@dataclass(frozen=True)
class Figures:
    """Of a set of pictures that show label maps.

    Attributes:
        frechet: squared Fréchet distance to photos of the same label maps, by level of SqueezeNet.
        stripes: mean share of power in purely horizontal and vertical frequencies.
        frame: mean change at the border, relative to further in.
        mean_iou: of the classes that the judge finds, or None without a judge.
        iou: by class.
    """

    frechet: Mapping[int, float]
    stripes: float
    frame: float
    mean_iou: float | None
    iou: Mapping[str, float]


class Measurement:
    """Measures sets of pictures that show the same label maps as a set of photos.

    Args:
        perceptual: its features are compared; they must not be those of a loss.
        judge: finds classes, or None.
        photos: [3,H,W] in [0,1].
        label_maps: class indices [H,W], as many.
        space: the label space.
    """

    def __init__(
        self,
        perceptual: PerceptualNetwork,
        judge: Judge | None,
        photos: Sequence[Tensor],
        label_maps: Sequence[Tensor],
        space: LabelSpace,
    ) -> None:
        self._perceptual = perceptual
        self._judge = judge
        self._vectors = _vectors(perceptual, photos)
        self._expected = [judged_labels(labels, space) for labels in label_maps]

    def __call__(self, pictures: Sequence[Tensor]) -> Figures:
        """The figures of pictures [3,H,W] in [0,1], one for each label map."""
        mean, named = None, {}
        if self._judge is not None:
            found = [self._judge(picture) for picture in pictures]
            mean, by_class = mean_iou(found, self._expected, len(JUDGED_CLASSES))
            names = tuple(JUDGED_CLASSES)
            named = {names[number]: value for number, value in by_class.items()}
        pixels = [quantize(picture[None])[0].numpy() for picture in pictures]
        return Figures(
            frechet={
                level: frechet_distance(ours, theirs)
                for level, ours, theirs in zip(
                    LEVELS, _vectors(self._perceptual, pictures), self._vectors, strict=True
                )
            },
            stripes=float(np.nanmean([stripes(picture) for picture in pixels])),
            frame=float(np.nanmean([frame(picture) for picture in pixels])),
            mean_iou=mean,
            iou=named,
        )


def synthesize(stage: Synthesize, label_maps: Sequence[Tensor]) -> list[Tensor]:
    """What a job synthesizes of label maps [H,W]: photos [3,H,W] in [0,1].

    Borders between classes are the instance edges.
    """
    scenes = [
        Scene(str(number), [Style(None, None)], label_map=labels.numpy().astype(np.uint8))
        for number, labels in enumerate(label_maps)
    ]
    contents = [scene.content for scene in stage(scenes)]
    return [
        torch.from_numpy(content).permute(2, 0, 1) / 255
        for content in contents
        if content is not None
    ]


def diversity(
    perceptual: PerceptualNetwork, pictures: Sequence[Tensor], others: Sequence[Tensor]
) -> float:
    """Mean distance in features between pictures [3,H,W] in [0,1] of the same label maps."""
    distances = [
        perceptual_distance(perceptual(picture[None]), perceptual(other[None]))
        for picture, other in zip(pictures, others, strict=True)
    ]
    return float(torch.stack(distances).mean())


def _vectors(perceptual: PerceptualNetwork, images: Sequence[Tensor]) -> list[Tensor]:
    """Feature vectors of all images by level, as many of each image, at fixed random places."""
    levels: list[list[Tensor]] = [[] for _ in LEVELS]
    for number, image in enumerate(images):
        for vectors, features in zip(levels, perceptual(image[None]), strict=True):
            all_vectors = as_vectors(features)
            random = torch.Generator().manual_seed(number)
            chosen = torch.randperm(len(all_vectors), generator=random)[:VECTORS_PER_PICTURE]
            vectors.append(all_vectors[chosen])
    return [torch.cat(vectors) for vectors in levels]
