"""Regions of a batch of photos as tiles of equal size, so that a GPU treats all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.photowct.regions import resize_regions

# Pixels of a tile. Larger tiles need less memory, but regions waste more of them.
TILE = 64


@dataclass(frozen=True)
class RegionTiles:
    """Pixels of N photos by group: the groups are laid out in turn, each in T tiles of its own.

    Attributes:
        pixels: the pixel at each of the S = 64 T places, int64 [N,S]; any one where there is none.
        inside: 1 where there is a pixel and 0 elsewhere, float [N,S].
        places: the place of each pixel, int64 [N,h*w].
        groups: 1 where a tile belongs to a group and 0 elsewhere, float [N,G,T].
        sizes: number of pixels of each group, float [N,G].
    """

    pixels: Tensor
    inside: Tensor
    places: Tensor
    groups: Tensor
    sizes: Tensor

    def repeated(self, times: int) -> RegionTiles:
        """The same for a batch in which each photo comes ``times`` times in a row."""
        return RegionTiles(*(repeat(tensor, times) for tensor in vars(self).values()))


def repeat(tensor: Tensor, times: int) -> Tensor:
    """``tensor.repeat_interleave(times)`` along the first dimension; the host does not wait."""
    if times == 1:
        return tensor
    return tensor.unsqueeze(1).expand(-1, times, *tensor.shape[1:]).flatten(0, 1)


def groups_at_level(
    regions: Sequence[Tensor],
    labels: Sequence[Sequence[int]],
    others: int,
    height: int,
    width: int,
) -> NDArray[np.intp]:
    """The group of each pixel of N photos at a level, [N,height*width].

    Args:
        regions: integer maps [H,W] of the photos.
        labels: labels for each photo; group i of a photo has the i-th of them.
        others: the group of all other pixels.
        height: height of the features.
        width: width of the features.
    """
    groups = np.full((len(regions), height * width), others, np.intp)
    for group, region_map, own in zip(groups, regions, labels, strict=True):
        shrunk = resize_regions(region_map, height, width).numpy().reshape(-1)
        for number, label in enumerate(own):
            group[shrunk == label] = number
    return groups


def tile_regions(
    groups: NDArray[np.intp], count: int, device: torch.device, dtype: torch.dtype
) -> RegionTiles:
    """Lay out the pixels of N photos by group.

    Args:
        groups: the group of each pixel, [N,h*w], below ``count``.
        count: number of groups.
        device: where the tensors go.
        dtype: the floating-point type of those that are not indices.
    """
    photos, pixels = groups.shape
    sizes = np.stack([np.bincount(group, minlength=count) for group in groups])
    tiles = -(-sizes // TILE)
    first_tiles = tiles.cumsum(axis=1) - tiles
    first_pixels = sizes.cumsum(axis=1) - sizes
    most = int(tiles.sum(axis=1).max())
    shown = np.zeros((photos, most * TILE), np.int64)
    inside = np.zeros((photos, most * TILE), np.float32)
    places = np.empty((photos, pixels), np.int64)
    members = np.zeros((photos, count, most), np.float32)
    for i, group in enumerate(groups):
        order = group.argsort(kind="stable")
        of_pixels = group[order]
        place = first_tiles[i][of_pixels] * TILE + np.arange(pixels) - first_pixels[i][of_pixels]
        shown[i, place], inside[i, place], places[i, order] = order, 1, place
        of_tiles = np.repeat(np.arange(count), tiles[i])
        members[i, of_tiles, np.arange(len(of_tiles))] = 1
    return RegionTiles(
        upload(shown, device),
        upload(inside, device).to(dtype),
        upload(places, device),
        upload(members, device).to(dtype),
        upload(sizes.astype(np.float32), device).to(dtype),
    )


def upload(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """An array on a device, to which it is copied while the host goes on."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
