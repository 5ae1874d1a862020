"""How good a SPADE generator is, in figures, on label maps it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.classification import MulticlassJaccardIndex

from spadepis.labels import LabelSpace
from spadepis.spade import SpadeGenerator
from spadepis.training.frechet import as_vectors, frechet_distance
from spadepis.training.perceptual import LEVELS, PerceptualNetwork
from spadepis.training.photos import Pair
from spadepis.training.segmentation import SegmentationNetwork
from spadepis.training.spade import class_edges

# A class counts in the mean IoU where it covers so much of the held-out maps.
SMALLEST_SHARE = 0.002
# Feature vectors kept of each picture.
VECTORS_PER_PICTURE = 256


def resized(pair: Pair, size: int) -> tuple[Tensor, Tensor]:
    """Photo [3,size,size] in [0,1] and labels [size,size], as the published network takes them."""
    photo = F.interpolate(
        pair.photo[None].float() / 255, (size, size), mode="bilinear", antialias=True
    )
    labels = F.interpolate(pair.labels[None, None], (size, size), mode="nearest-exact")
    return photo[0], labels[0, 0].long()


def synthesize(generator: SpadeGenerator, labels: Tensor) -> Tensor:
    """A picture [3,H,W] in [0,1] of one label map [H,W], class borders being the edges."""
    edges = class_edges(labels[None], generator.label_space)
    picture: Tensor = generator(labels[None], edges)[0]
    return (picture + 1) / 2


def mean_colours(pairs: Iterable[Pair], num_classes: int) -> Tensor:
    """Mean colour [num_classes,3] in [0,1] of each class in pairs, grey for absent classes."""
    sums = torch.zeros(num_classes, 3)
    pixels = torch.zeros(num_classes)
    for pair in pairs:
        labels = pair.labels.flatten().long()
        sums.index_add_(0, labels, pair.photo.flatten(1).T.float() / 255)
        pixels += torch.bincount(labels, minlength=num_classes)
    grey = torch.full((num_classes, 3), 0.5)
    return torch.where(pixels.unsqueeze(1) > 0, sums / pixels.clamp(min=1).unsqueeze(1), grey)


def frechet_by_level(
    perceptual: PerceptualNetwork, pictures: Sequence[Tensor], photos: Sequence[Tensor]
) -> dict[int, float]:
    """Squared Fréchet distance of two sets of [3,H,W] in [0,1], by level of SqueezeNet."""
    ours, theirs = (_vectors(perceptual, images) for images in (pictures, photos))
    return {level: frechet_distance(a, b) for level, a, b in zip(LEVELS, ours, theirs, strict=True)}


def mean_iou(
    network: SegmentationNetwork,
    pictures: Sequence[Tensor],
    label_maps: Sequence[Tensor],
    space: LabelSpace,
) -> tuple[float, dict[str, float]]:
    """Mean intersection over union of found and given labels, and that of each class.

    Classes that cover under 0.2 % of the label maps do not count; unknown pixels, the last class
    of the label space, neither.
    """
    unknown = space.num_classes - 1
    pixels = torch.stack(
        [torch.bincount(labels.flatten(), minlength=space.num_classes) for labels in label_maps]
    ).sum(dim=0)
    pixels[unknown] = 0
    counted = pixels >= SMALLEST_SHARE * pixels.sum()
    index = MulticlassJaccardIndex(space.num_classes, average="none", ignore_index=unknown)
    for picture, labels in zip(pictures, label_maps, strict=True):
        index.update(network(picture[None]).argmax(dim=1), labels[None])
    by_class = index.compute()
    named = {space.names[i]: float(by_class[i]) for i in counted.nonzero().flatten().tolist()}
    return float(by_class[counted].mean()), named


def _vectors(perceptual: PerceptualNetwork, images: Sequence[Tensor]) -> list[Tensor]:
    """Feature vectors of all images by level, as many of each image, at fixed random places."""
    levels: list[list[Tensor]] = [[] for _ in perceptual(images[0][None])]
    for number, image in enumerate(images):
        for vectors, features in zip(levels, perceptual(image[None]), strict=True):
            all_vectors = as_vectors(features)
            random = torch.Generator().manual_seed(number)
            chosen = torch.randperm(len(all_vectors), generator=random)[:VECTORS_PER_PICTURE]
            vectors.append(all_vectors[chosen])
    return [torch.cat(vectors) for vectors in levels]
