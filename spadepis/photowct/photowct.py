"""PhotoWCT: a content photo takes the feature statistics of style photos, coarse to fine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.loading import load_weights
from spadepis.checkpoints.reading import read_state_dict
from spadepis.photowct.network import ENCODER_BLOCKS, LEVELS, Decoder, Encoder
from spadepis.photowct.regions import SMALLEST_AREA, region_areas, resize_regions
from spadepis.photowct.style_statistics import (
    FeatureStatistics,
    StyleStatistics,
    feature_statistics,
)
from spadepis.photowct.transfer import ContentFeatures

# How many styles are decoded together. Several keep a GPU busy; one at a time stays in the cache of
# a CPU, and no result depends on the styles beside it, down to the last bit.
STYLES_AT_ONCE_ON_CPU = 1
STYLES_AT_ONCE_ON_GPU = 8

# The levels whose encoders may compute in half precision.
HALF_PRECISION_ENCODERS = (2, 1)

# There are three poolings, and reflection padding needs two pixels of what is left.
SMALLEST_SIDE = 16


class PhotoTooSmallError(ValueError):
    """A photo with a side of fewer than 16 pixels."""


class PhotoWCT(nn.Module):
    """The cascade of four encoder-decoder pairs ``e4, d4, ..., e1, d1`` (Li et al., fig. 2 and 3).

    The module's state dict has the keys of the published ``photo_wct.pth``.

    Args:
        widths: output channels by level and convolution name.
    """

    def __init__(self, widths: Mapping[int, Mapping[str, int]]) -> None:
        super().__init__()
        for level in LEVELS:
            self.add_module(f"e{level}", Encoder(level, widths[level]))
            self.add_module(f"d{level}", Decoder(level, widths[level]))

    @classmethod
    def from_checkpoint(
        cls,
        path_or_uri: str | os.PathLike[str],
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a published ``photo_wct.pth``, or the same weights as safetensors.

        The channel widths are read off the weights. The network is returned in evaluation mode.

        Raises:
            CheckpointError: the file is not a checkpoint of this network.
        """
        uri = str(path_or_uri)
        weights = read_state_dict(uri)
        with torch.device("meta"):
            network = cls(_widths(weights, uri))
        load_weights(network, weights, uri, "PhotoWCT", device, dtype)
        return network

    def reduce_precision(self, dtype: torch.dtype) -> None:
        """Compute in ``dtype``, float16 or bfloat16, where the result hardly changes.

        That is in the decoders, except for their last convolution, and in the encoders of levels 2
        and 1. Errors of the encoders of levels 4 and 3 would be amplified by whitening.
        """
        for level in LEVELS:
            decoder = self._decoder(level)
            for name, convolution in decoder.named_children():
                if name != "conv1_1":
                    convolution.to(dtype)
        for level in HALF_PRECISION_ENCODERS:
            self.encoder(level).to(dtype)

    def encode_style(self, image: Tensor, regions: Tensor | None = None) -> StyleStatistics:
        """Compute the statistics of a style photo, which can be applied to any content.

        Args:
            image: floating-point [3,h,w] in [0,1], sides of 16 or more.
            regions: integer map [h,w]; with it the statistics of each label are kept too.
                Negative labels are of no known class and match nothing.

        Raises:
            PhotoTooSmallError: the image is too small.
            ValueError: the image is of another shape or dtype, or the map does not match it.
        """
        image = self._check(image, "style", regions)
        # As published, the deepest encoder alone sees the style, at all four levels.
        features, _ = self.encoder(4).forward_levels(image)
        photo = {level: feature_statistics(features[level][0].flatten(1)) for level in LEVELS}
        if regions is None:
            return StyleStatistics(photo, regions={}, areas={})
        areas = region_areas(regions)
        # Regions of no known class and very small ones match nothing.
        matchable = [label for label in areas if label >= 0 and areas[label] > SMALLEST_AREA]
        statistics: dict[int, dict[int, FeatureStatistics]] = {label: {} for label in matchable}
        for level in LEVELS:
            labels_at_level = resize_regions(regions, *features[level].shape[-2:]).to(image.device)
            for label in matchable:
                region = features[level][0][:, labels_at_level == label]
                if region.shape[1] >= 2:
                    statistics[label][level] = feature_statistics(region)
        return StyleStatistics(photo, statistics, areas)

    def stylize(
        self,
        content: Tensor,
        styles: Sequence[StyleStatistics],
        regions: Tensor | None = None,
        *,
        fallback: bool = False,
        strength: float = 1.0,
    ) -> Tensor:
        """Give one content photo the look of each of K styles.

        If content and style have region maps, every label takes the statistics of the same label
        of the style. Labels that do not match (see ``matched_labels``) keep their features, as in
        the published code, or with ``fallback`` are stylized as without region maps. Without region
        maps, the whole photo takes the statistics of the whole style.

        Args:
            content: floating-point [3,H,W] in [0,1], sides of 16 or more.
            styles: K values that ``encode_style`` of this network returned.
            regions: integer map [H,W] of the content; negative labels match nothing.
            fallback: whether labels that do not match are stylized as without region maps.
            strength: strength of the style, in [0,1]: at every level the features are blended with
                those of the content. 0 gives the content, encoded and decoded; 1 is as published.

        Returns:
            [K,3,H,W], not clipped to [0,1].

        Raises:
            PhotoTooSmallError: the content is too small.
            ValueError: the content is of another shape or dtype, the map does not match it, or the
                strength is not in [0,1].
        """
        if not 0 <= strength <= 1:
            raise ValueError(f"the strength of a style is in [0,1], not {strength}")
        images = self._check(content, "content", regions)
        features, poolings = self.encoder(4)(images)
        coarsest = ContentFeatures(features, 4, regions, fallback, strength)
        on_cpu = images.device.type == "cpu"
        at_once = STYLES_AT_ONCE_ON_CPU if on_cpu else STYLES_AT_ONCE_ON_GPU
        # Without styles the result is empty.
        stylized = [images[:0]]
        for start in range(0, len(styles), at_once):
            part = styles[start : start + at_once]
            decoded = self._decoder(4)(coarsest.transfer(part), poolings)
            stylized.append(self._refine(decoded, part, regions, fallback, strength))
        return torch.cat(stylized)

    def _refine(
        self,
        images: Tensor,
        styles: Sequence[StyleStatistics],
        regions: Tensor | None,
        fallback: bool,
        strength: float,
    ) -> Tensor:
        """Stylize images [K,3,H,W], which took the statistics of level 4, at levels 3 to 1."""
        for level in LEVELS[1:]:
            features, poolings = self.encoder(level)(images)
            content = ContentFeatures(features, level, regions, fallback, strength)
            images = self._decoder(level)(content.transfer(styles), poolings)
        return images

    def encoder(self, level: int) -> Encoder:
        """The encoder of a level, 1 to 4."""
        encoder = self.get_submodule(f"e{level}")
        assert isinstance(encoder, Encoder)
        return encoder

    def _decoder(self, level: int) -> Decoder:
        decoder = self.get_submodule(f"d{level}")
        assert isinstance(decoder, Decoder)
        return decoder

    def _check(self, image: Tensor, role: str, regions: Tensor | None) -> Tensor:
        """Check an image [3,H,W], and bring it to the network's device and dtype as [1,3,H,W]."""
        if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
            raise ValueError(
                f"{role} must be floating-point [3,H,W], not {image.dtype} {list(image.shape)}"
            )
        if min(image.shape[1:]) < SMALLEST_SIDE:
            height, width = image.shape[1:]
            raise PhotoTooSmallError(
                f"{role} of {width}x{height} is too small for PhotoWCT "
                f"(sides of {SMALLEST_SIDE} or more)"
            )
        if regions is not None and regions.shape != image.shape[1:]:
            raise ValueError(
                f"{role} region map {list(regions.shape)} does not match "
                f"the image {list(image.shape[1:])}"
            )
        return image.unsqueeze(0).to(next(self.parameters()))


def _widths(weights: Mapping[str, Tensor], uri: str) -> dict[int, dict[str, int]]:
    """Output channels of every encoder convolution, by level and name."""
    widths: dict[int, dict[str, int]] = {}
    for level in LEVELS:
        widths[level] = {}
        for name in (name for block in ENCODER_BLOCKS[level] for name in block):
            key = f"e{level}.{name}.weight"
            if key not in weights:
                raise CheckpointError(f"checkpoint {uri} is not a PhotoWCT network: no {key}")
            widths[level][name] = weights[key].shape[0]
    return widths
