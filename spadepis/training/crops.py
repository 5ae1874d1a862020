"""Random crops: the batches that networks are trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from spadepis.training.photos import Pair, Picture

# A crop shows between so much less and so much more of a picture than its size in pixels.
SMALLEST_ZOOM, LARGEST_ZOOM = 0.8, 1.3


def draw(sources: Sequence[Sequence[Picture]], count: int, random: Generator) -> list[Picture]:
    """Draw ``count`` items, each source in proportion to the root of its size.

    Small sources, which hold the rare classes, count for more than their share and still do not
    repeat too often.
    """
    weights = torch.tensor([float(len(source)) for source in sources]).sqrt()
    chosen = torch.multinomial(weights, count, replacement=True, generator=random)
    return [sources[i][_below(len(sources[i]), random)] for i in chosen.tolist()]


def crop_photos(photos: Sequence[Tensor], size: int, random: Generator) -> Tensor:
    """A random crop of each photo, uint8 [3,h,w], as float [N,3,size,size] in [0,1]."""
    return torch.stack([_crop([photo], size, random)[0] for photo in photos])


def crop_pairs(pairs: Sequence[Pair], size: int, random: Generator) -> tuple[Tensor, Tensor]:
    """The same random crop of photo and label map of each pair.

    Returns:
        Photos, float [N,3,size,size] in [0,1], and class indices, int64 [N,size,size].
    """
    photos, labels = [], []
    for pair in pairs:
        photo, label_map = _crop([pair.photo, pair.labels[None]], size, random)
        photos.append(photo)
        labels.append(label_map[0])
    return torch.stack(photos), torch.stack(labels)


def _crop(planes: Sequence[Tensor], size: int, random: Generator) -> list[Tensor]:
    """The same crop of aligned planes [C,h,w], of random place, zoom, aspect, perhaps mirrored.

    Planes of three channels are resized bilinearly to [0,1], others by nearest neighbour.
    """
    height, width = planes[0].shape[1:]
    zoom = SMALLEST_ZOOM + (LARGEST_ZOOM - SMALLEST_ZOOM) * torch.rand(2, generator=random)
    h, w = (int(min(size * z, side)) for z, side in zip(zoom, (height, width), strict=True))
    top, left = _below(height - h + 1, random), _below(width - w + 1, random)
    mirrored = bool(_below(2, random))
    crops = []
    for plane in planes:
        window = plane[None, :, top : top + h, left : left + w]
        if mirrored:
            window = window.flip(-1)
        if len(plane) == 3:
            window = F.interpolate(
                window.float() / 255, (size, size), mode="bilinear", antialias=True
            )
        else:
            window = F.interpolate(window, (size, size), mode="nearest-exact").long()
        crops.append(window[0])
    return crops


def _below(limit: int, random: Generator) -> int:
    return int(torch.randint(limit, (), generator=random))
