"""Gaussian noise as a function of seed, layer and position alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spadepis.kernels.triton_driver import runs_triton

LOW_32_BITS = 0xFFFFFFFF

# The sum of four independent 16-bit integers: its mean and standard deviation.
_MEAN = 4 * (2**16 - 1) / 2
_DEVIATION = math.sqrt(4 * (2.0**32 - 1) / 12)

# Odd constants that keep the streams of seeds, layers, rows and columns apart (golden ratio).
_STEP = 0x9E3779B9


def gaussian_noise(seeds: Tensor, layer: int, maps: int, height: int, width: int) -> Tensor:
    """Approximately Gaussian noise of mean 0 and variance 1, the same on every device.

    A value is a hash of its seed, layer, map, row and column, so it depends neither on the batch
    nor on the size of the map. It is the sum of four uniform 16-bit integers, all in exact integer
    arithmetic; the distribution ends at 3.5 standard deviations.

    Args:
        seeds: int64 [N], one for each image.
        layer: separates the noise of one layer from that of another.
        maps: number of independent maps M of each image.
        height: height of the maps.
        width: width of the maps.

    Returns:
        float32 [N,M,height,width].
    """
    columns = torch.arange(width, device=seeds.device)
    return _noise_of_states(_row_states(seeds, layer, maps, height) + _STEP * columns)


def gaussian_noise_of_layers(
    seeds: Tensor,
    maps: int,
    sizes: Sequence[tuple[int, int]],
    device: torch.device,
    dtype: torch.dtype,
) -> list[Tensor]:
    """The noise of all layers on a GPU, in as few steps as that of one.

    Args:
        seeds: int64 [N] on the CPU.
        maps: number of independent maps M of each image.
        sizes: height and width of the maps of each layer, by layer.
        device: where the noise goes.
        dtype: what it is rounded to.

    Returns:
        [N,M,height,width] for each layer.
    """
    rows = [_row_states(seeds, layer, maps, height) for layer, (height, _) in enumerate(sizes)]
    packed = torch.cat([states.flatten() for states in rows]).pin_memory()
    uploaded = torch.split(packed.to(device, non_blocking=True), [part.numel() for part in rows])
    shapes = [(len(seeds), maps, height, width) for height, width in sizes]
    if runs_triton(device):
        # Not every platform has Triton.
        from spadepis.spade.triton_noise import noise_of_rows

        options = _STEP, _MEAN, _DEVIATION, dtype
        with torch.cuda.device_of(uploaded[0]):  # type: ignore[no-untyped-call]
            return [
                noise_of_rows(of_rows, shape[-1], *options).view(shape)
                for of_rows, shape in zip(uploaded, shapes, strict=True)
            ]
    counts = [math.prod(shape) for shape in shapes]
    states = torch.empty(sum(counts), dtype=torch.int64, device=device)
    steps = _STEP * torch.arange(max(width for _, width in sizes), device=device)
    for part, of_rows, (_, width) in zip(torch.split(states, counts), uploaded, sizes, strict=True):
        torch.add(of_rows[:, None], steps[:width], out=part.view(-1, width))
    noise = torch.split(_noise_of_states(states).to(dtype), counts)
    return [part.view(shape) for part, shape in zip(noise, shapes, strict=True)]


def _row_states(seeds: Tensor, layer: int, maps: int, height: int) -> Tensor:
    """What the hashes of a row's pixels begin with, int64 [N,M,height,1]."""
    numbers = torch.arange(maps, device=seeds.device).view(-1, 1, 1)
    rows = torch.arange(height, device=seeds.device).view(-1, 1)
    seeds = seeds.to(torch.int64)
    stream = _hash(_hash(seeds >> 32) ^ (seeds & LOW_32_BITS)) + _STEP * (layer + 1)
    map_streams = _hash(stream.view(-1, 1, 1, 1)) + _STEP * numbers
    return _hash(_hash(map_streams) + _STEP * rows)


def _noise_of_states(states: Tensor) -> Tensor:
    first = _hash(states)
    second = _hash(first ^ _STEP)
    total = (first & 0xFFFF) + (first >> 16) + (second & 0xFFFF) + (second >> 16)
    return (total.float() - _MEAN) / _DEVIATION


def _hash(x: Tensor) -> Tensor:
    """Hash the lower 32 bits of int64 values to 32 bits (``lowbias32``, C. Wellons, 2018)."""
    x = x & LOW_32_BITS
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & LOW_32_BITS
    x = ((x ^ (x >> 15)) * 0x846CA68B) & LOW_32_BITS
    return x ^ (x >> 16)
