"""Random crops: the batches that networks are trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from spadepis.training.photos import Pair

# A crop shows between so much less and so much more of a picture than its size in pixels.
SMALLEST_ZOOM, LARGEST_ZOOM = 0.8, 1.3


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


def resize_pair(pair: Pair, size: int) -> tuple[Tensor, Tensor]:
    """The whole photo [3,size,size] in [0,1] and labels, int64 [size,size].

    As the published network takes them, the aspect ratio is not kept.
    """
    return _resize(pair.photo, size), _resize(pair.labels[None], size)[0]


def _crop(planes: Sequence[Tensor], size: int, random: Generator) -> list[Tensor]:
    """The same crop of aligned planes [C,h,w], of random place, zoom, aspect, perhaps mirrored."""
    height, width = planes[0].shape[1:]
    zoom = SMALLEST_ZOOM + (LARGEST_ZOOM - SMALLEST_ZOOM) * torch.rand(2, generator=random)
    h, w = (int(min(size * z, side)) for z, side in zip(zoom, (height, width), strict=True))
    top, left = _below(height - h + 1, random), _below(width - w + 1, random)
    mirrored = bool(_below(2, random))
    windows = [plane[:, top : top + h, left : left + w] for plane in planes]
    return [_resize(window.flip(-1) if mirrored else window, size) for window in windows]


def _resize(plane: Tensor, size: int) -> Tensor:
    """Resize uint8 [C,h,w]: three channels bilinearly to [0,1], others by nearest neighbour."""
    if len(plane) == 3:
        scaled = plane[None].float() / 255
        return F.interpolate(scaled, (size, size), mode="bilinear", antialias=True)[0]
    return F.interpolate(plane[None], (size, size), mode="nearest-exact")[0].long()


def _below(limit: int, random: Generator) -> int:
    return int(torch.randint(limit, (), generator=random))
