"""Moving style statistics onto the features of many photos at once, as a GPU does it.

No value is asked for on the host, and how much is launched does not depend on the number of photos,
styles and regions. ``transfer`` does the same on a CPU, where one photo and style at a time is
faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.photowct.covariance_roots import whitening_matrix
from spadepis.photowct.region_tiles import (
    TILE,
    RegionTiles,
    groups_at_level,
    repeat,
    tile_regions,
    upload,
)
from spadepis.photowct.regions import matched_labels, region_areas
from spadepis.photowct.style_statistics import FeatureStatistics, StyleStatistics


@dataclass(frozen=True)
class PhotoMoments:
    """First and second order statistics of the features of P photos.

    Attributes:
        centred: features [P,C,n] less their means.
        means: [P,C].
        covariances: [P,C,C].
    """

    centred: Tensor
    means: Tensor
    covariances: Tensor

    @classmethod
    def of(cls, features: Tensor) -> PhotoMoments:
        """The statistics of features [P,C,h,w]; those of half precision are in float32."""
        pixels = at_least_float32(features).flatten(2)
        means = pixels.mean(dim=-1)
        centred = pixels - means[..., None]
        return cls(centred, means, centred @ centred.mT / (pixels.shape[-1] - 1))


@dataclass(frozen=True)
class RegionMoments:
    """First and second order statistics of the features of P photos, by group of pixels.

    Attributes:
        centred: features at the places of the tiles [P,S,C] less the mean of their group.
        means: [P,G,C].
        covariances: [P,G,C,C]; without meaning for groups of fewer than two pixels.
    """

    centred: Tensor
    means: Tensor
    covariances: Tensor

    @classmethod
    def of(cls, features: Tensor, tiles: RegionTiles) -> RegionMoments:
        """The statistics of features [P,C,h,w]; those of half precision are in float32."""
        photos, channels = features.shape[:2]
        rows = at_least_float32(features).flatten(2).mT
        rows = rows.gather(1, tiles.pixels[..., None].expand(-1, -1, channels))
        in_tiles = rows.reshape(-1, TILE, channels)
        sums = tiles.inside.reshape(-1, 1, TILE) @ in_tiles
        means = tiles.groups @ sums.reshape(photos, -1, channels)
        means = means / tiles.sizes.clamp(min=1)[..., None]
        in_tiles = in_tiles - (tiles.groups.mT @ means).reshape(-1, 1, channels)
        in_tiles = in_tiles * tiles.inside.reshape(-1, TILE, 1)
        products = (in_tiles.mT @ in_tiles).reshape(photos, -1, channels**2)
        covariances = tiles.groups @ products / (tiles.sizes - 1).clamp(min=1)[..., None]
        by_group = *covariances.shape[:2], channels, channels
        return cls(in_tiles.reshape(rows.shape), means, covariances.reshape(by_group))


def transfer_photos(
    styles: Sequence[StyleStatistics], strength: float, features: Tensor, level: int
) -> Tensor:
    """Give features of N photos the statistics of N*K styles, K for each photo.

    Args:
        styles: those of the first photo, of the second, and so on.
        strength: strength of the style, in [0,1].
        features: [N,C,h,w].
        level: level of the features.

    Returns:
        [N*K,C,h,w].
    """
    moments = PhotoMoments.of(features)
    times = len(styles) // len(features)
    whitening = repeat(whitening_matrix(moments.covariances), times)
    means, matrices = _stack([style.photo[level] for style in styles])
    matrices = matrices @ whitening
    if strength < 1:
        identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
        matrices = torch.lerp(identity, matrices, strength)
        means = torch.lerp(repeat(moments.means, times), means, strength)
    stylized = torch.baddbmm(means[..., None], matrices, repeat(moments.centred, times))
    return stylized.view(-1, *features.shape[1:]).to(features.dtype)


class GuidedTransfer:
    """The transfer from regions to regions, for N contents with K styles each.

    Every label takes the statistics of the same label, by the rules of ``ContentFeatures``.

    Args:
        regions: integer maps [H,W] of the contents.
        styles: K styles for each content.
        fallback: whether labels that do not match take the statistics of the whole style.
        strength: strength of the styles, in [0,1].
    """

    def __init__(
        self,
        regions: Sequence[Tensor],
        styles: Sequence[Sequence[StyleStatistics]],
        fallback: bool,
        strength: float,
    ) -> None:
        self.regions = regions
        self.styles = [style for own in styles for style in own]
        self.strength = strength
        # Styles without region map are applied to the whole photo.
        self.to_the_rest = np.array([fallback or not style.areas for style in self.styles])
        self.labels: list[list[int]] = []
        self.matched: list[list[int]] = []
        for region_map, own in zip(regions, styles, strict=True):
            areas = region_areas(region_map)
            matched = [matched_labels(areas, style.areas) for style in own]
            self.matched += matched
            self.labels.append(sorted({label for labels in matched for label in labels}))
        # The last one has all pixels that take no statistics of a region.
        self.groups = max(map(len, self.labels)) + 1

    def __call__(self, features: Tensor, level: int) -> Tensor:
        """Features [N*K,C,h,w] with the statistics of their styles.

        Args:
            features: those of the contents [N,C,h,w], or of the content in each of its styles
                [N*K,C,h,w].
            level: their level.
        """
        contents, device = len(self.regions), features.device
        groups = groups_at_level(self.regions, self.labels, self.groups - 1, *features.shape[2:])
        dtype = torch.promote_types(features.dtype, torch.float32)
        tiles = tile_regions(groups, self.groups, device, dtype).repeated(len(features) // contents)
        moments = RegionMoments.of(features, tiles)
        times = len(self.styles) // len(features)
        centred, means = repeat(moments.centred, times), repeat(moments.means, times)
        tiles = tiles.repeated(times)

        covariances = moments.covariances
        falls_back = bool(self.to_the_rest.any())
        if falls_back:
            whole = PhotoMoments.of(features)
            covariances = torch.cat([covariances[:, :-1], whole.covariances[:, None]], dim=1)

        statistics, takes = self._statistics(groups, level)
        style_means, matrices = _stack([each for own in statistics for each in own])
        whitening = repeat(whitening_matrix(covariances), times)
        matrices = matrices.reshape(whitening.shape) @ whitening
        offsets = style_means.reshape(means.shape)
        if falls_back:
            takes_its_own = upload(takes, device)[..., None]
            # A group is off the centre of the whole, and stays so.
            off_centre = means - repeat(whole.means, times)[:, None]
            of_whole = torch.baddbmm(offsets[:, -1:], off_centre, matrices[:, -1].mT)
            offsets = torch.where(takes_its_own, offsets, of_whole)
            matrices = torch.where(takes_its_own[..., None], matrices, matrices[:, -1:])
        takes_any = takes | self.to_the_rest[:, None]
        strengths = upload((takes_any * self.strength).astype(np.float32), device)
        strengths = strengths[..., None].to(means.dtype)
        identity = torch.eye(matrices.shape[-1], dtype=means.dtype, device=device)
        matrices = torch.lerp(identity.expand_as(matrices), matrices, strengths[..., None])
        return _apply(matrices, torch.lerp(means, offsets, strengths), centred, tiles, features)

    def _statistics(
        self, groups: NDArray[np.intp], level: int
    ) -> tuple[list[list[FeatureStatistics]], NDArray[np.bool_]]:
        """Statistics of a label, or else of the photo, by style and group; and which are a label's.

        Returns:
            N*K times G statistics, and truth values [N*K,G].
        """
        statistics = [[style.photo[level]] * self.groups for style in self.styles]
        takes = np.zeros((len(self.styles), self.groups), np.bool_)
        sizes = [np.bincount(group, minlength=self.groups) for group in groups]
        times = len(self.styles) // len(self.regions)
        for i, (style, matched) in enumerate(zip(self.styles, self.matched, strict=True)):
            for label in matched:
                number = self.labels[i // times].index(label)
                if level in style.regions[label] and sizes[i // times][number] >= 2:
                    statistics[i][number] = style.regions[label][level]
                    takes[i, number] = True
        return statistics, takes


def _apply(
    matrices: Tensor, offsets: Tensor, centred: Tensor, tiles: RegionTiles, features: Tensor
) -> Tensor:
    """``matrix @ x + offset`` by group [P,G,C,C] and [P,G,C], as features [P,C,h,w]."""
    channels, height, width = features.shape[1:]
    of_tiles = (tiles.groups.mT @ matrices.flatten(2)).reshape(-1, channels, channels)
    offsets_of_tiles = (tiles.groups.mT @ offsets).reshape(-1, 1, channels)
    rows = torch.baddbmm(offsets_of_tiles, centred.reshape(-1, TILE, channels), of_tiles.mT)
    places = tiles.places[..., None].expand(-1, -1, channels)
    pixels = rows.reshape(centred.shape).gather(1, places).to(features.dtype)
    return pixels.mT.reshape(-1, channels, height, width)


def at_least_float32(features: Tensor) -> Tensor:
    """Features in half precision as float32."""
    return features.to(torch.promote_types(features.dtype, torch.float32))


def _stack(statistics: Sequence[FeatureStatistics]) -> tuple[Tensor, Tensor]:
    """Means [n,C] and colouring matrices [n,C,C]."""
    means = torch.stack([each.mean for each in statistics])
    return means, torch.stack([each.colouring for each in statistics])
