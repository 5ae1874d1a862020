"""PhotoWCT: a content photo takes the feature statistics of style photos, coarse to fine."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.loading import load_weights
from spadepis.checkpoints.reading import read_metadata, read_state_dict
from spadepis.kernels.precision import exact_float32
from spadepis.photowct.batched_statistics import StyleMoments, styles_from_moments
from spadepis.photowct.batched_transfer import GuidedTransfer, transfer_photos
from spadepis.photowct.network import ENCODER_BLOCKS, LEVELS, Decoder, Encoder, Pooling
from spadepis.photowct.region_tiles import repeat
from spadepis.photowct.style_statistics import StyleStatistics, style_statistics
from spadepis.photowct.transfer import ContentFeatures

# How many pixels of pairs a GPU decodes together: 64 pairs of 256x256 take about 4 GB. On a CPU one
# pair at a time stays in the cache, and no result depends on the styles beside it, down to the last
# bit.
PIXELS_AT_ONCE = 2**22

# The levels whose encoders may compute in half precision.
HALF_PRECISION_ENCODERS = {torch.float16: (3, 2, 1), torch.bfloat16: (2, 1)}

# The metadata of a safetensors file may name another tolerance than 0.
POOLING_TOLERANCE_KEY = "pooling_tolerance"

# There are three poolings, and reflection padding needs two pixels of what is left.
SMALLEST_SIDE = 16


class PhotoTooSmallError(ValueError):
    """A photo with a side of fewer than 16 pixels."""


class PhotoWCT(nn.Module):
    """The cascade of four encoder-decoder pairs ``e4, d4, ..., e1, d1`` (Li et al., fig. 2 and 3).

    The module's state dict has the keys of the published ``photo_wct.pth``.

    Args:
        widths: output channels by level and convolution name.
        pooling_tolerance: up to which difference of features a pooling does not tell their
            positions; see ``max_pool``. It is 0 in the published network.
    """

    def __init__(
        self, widths: Mapping[int, Mapping[str, int]], pooling_tolerance: float = 0.0
    ) -> None:
        super().__init__()
        for level in LEVELS:
            self.add_module(f"e{level}", Encoder(level, widths[level], pooling_tolerance))
            self.add_module(f"d{level}", Decoder(level, widths[level]))

    @classmethod
    def from_checkpoint(
        cls,
        path_or_uri: str | os.PathLike[str],
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a published ``photo_wct.pth``, or the same weights as safetensors.

        The channel widths are read off the weights; the tolerance of the poolings is 0 unless the
        metadata of a safetensors file says otherwise. The network is returned in evaluation mode.

        Raises:
            CheckpointError: the file is not a checkpoint of this network.
        """
        uri = str(path_or_uri)
        weights = read_state_dict(uri)
        tolerance = _pooling_tolerance(uri)
        with torch.device("meta"):
            network = cls(_widths(weights, uri), tolerance)
        load_weights(network, weights, uri, "PhotoWCT", device, dtype)
        return network

    def reduce_precision(self, dtype: torch.dtype) -> None:
        """Compute in ``dtype``, float16 or bfloat16, where the result hardly changes.

        With float16, that is everywhere but in the statistics and the encoder of level 4. Features
        may overflow, which makes the image infinite or NaN. With bfloat16, it is in the decoders,
        except for their last convolution, and in the encoders of levels 2 and 1. Errors of the
        other encoders would be amplified by whitening.
        """
        for level in LEVELS:
            decoder = self._decoder(level)
            for name, convolution in decoder.named_children():
                if name != "conv1_1" or dtype == torch.float16:
                    convolution.to(dtype)
        for level in HALF_PRECISION_ENCODERS[dtype]:
            self.encoder(level).to(dtype)

    @exact_float32()
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
        images = self._check(image, "style", regions)
        if images.is_cuda:
            return self.encode_styles([image], None if regions is None else [regions])[0]
        # As published, the deepest encoder alone sees the style, at all four levels.
        features, _ = self.encoder(4).forward_levels(images)
        return style_statistics(features, regions)

    @exact_float32()
    def encode_styles(
        self, images: Sequence[Tensor], regions: Sequence[Tensor] | None = None
    ) -> list[StyleStatistics]:
        """Compute the statistics of many style photos at once.

        The results are those of ``encode_style``, but for rounding. Photos of one size are encoded
        together. Like ``stylize_batch`` this is for GPUs.

        Args:
            images: each as in ``encode_style``.
            regions: a map for each of them, on the CPU, or None for all.

        Raises:
            PhotoTooSmallError: an image is too small.
            ValueError: see ``encode_style``.
        """
        sizes: dict[torch.Size, list[int]] = {}
        for i, image in enumerate(images):
            self._check(image, "style", None if regions is None else regions[i])
            sizes.setdefault(image.shape, []).append(i)
        batches: list[StyleMoments] = []
        order: list[int] = []
        for size, alike in sizes.items():
            most = max(1, PIXELS_AT_ONCE // (size[1] * size[2]))
            for chosen in (alike[i : i + most] for i in range(0, len(alike), most)):
                photos = torch.stack([images[i] for i in chosen]).to(next(self.parameters()))
                features, _ = self.encoder(4).forward_levels(photos)
                maps = None if regions is None else [regions[i].cpu() for i in chosen]
                batches.append(StyleMoments.of(features, maps))
                order += chosen
        in_order = zip(order, styles_from_moments(batches) if batches else [], strict=True)
        return [style for _, style in sorted(in_order, key=lambda pair: pair[0])]

    @exact_float32()
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
        if images.is_cuda and styles:
            maps = None if regions is None else regions[None]
            return self.stylize_batch(
                content[None], [styles], maps, fallback=fallback, strength=strength
            )[0]
        features, poolings = self.encoder(4)(images)
        coarsest = ContentFeatures(features, 4, regions, fallback, strength)
        # Without styles the result is empty.
        stylized = [images[:0]]
        for style in styles:
            image = self._decoder(4)(coarsest.transfer(style), poolings)
            for level in LEVELS[1:]:
                features, poolings_of_level = self.encoder(level)(image)
                finer = ContentFeatures(features, level, regions, fallback, strength)
                image = self._decoder(level)(finer.transfer(style), poolings_of_level)
            stylized.append(image)
        return torch.cat(stylized)

    @exact_float32()
    def stylize_batch(
        self,
        contents: Tensor,
        styles: Sequence[Sequence[StyleStatistics]],
        regions: Tensor | None = None,
        *,
        fallback: bool = False,
        strength: float = 1.0,
    ) -> Tensor:
        """Give each of N content photos the look of each of its K styles, all of them at once.

        The results are those of ``stylize``, but for rounding. Much is launched and nothing waited
        for, so this is for GPUs; CPUs are faster with ``stylize``.

        Args:
            contents: floating-point [N,3,H,W] in [0,1], sides of 16 or more.
            styles: K values of ``encode_style`` of this network for each content.
            regions: integer maps [N,H,W] of the contents, on the CPU.
            fallback: see ``stylize``.
            strength: see ``stylize``.

        Returns:
            [N,K,3,H,W], not clipped to [0,1].

        Raises:
            PhotoTooSmallError: the contents are too small.
            ValueError: see ``stylize``.
        """
        if not 0 <= strength <= 1:
            raise ValueError(f"the strength of a style is in [0,1], not {strength}")
        if not len(contents) or not styles[0]:
            raise ValueError("there are no contents, or no styles")
        maps = None if regions is None else regions[0]
        self._check(contents[0], "content", maps)
        height, width = contents.shape[2:]
        most = max(1, PIXELS_AT_ONCE // (height * width))
        by_content = []
        each = max(1, most // len(styles[0]))
        for first in range(0, len(contents), each):
            chosen = slice(first, first + each)
            of_regions = None if regions is None else regions[chosen]
            parts = [
                self._stylize_at_once(
                    contents[chosen],
                    [own[start : start + most] for own in styles[chosen]],
                    of_regions,
                    fallback,
                    strength,
                )
                for start in range(0, len(styles[0]), most)
            ]
            by_content.append(torch.cat(parts, dim=1))
        return torch.cat(by_content)

    def _stylize_at_once(
        self,
        contents: Tensor,
        styles: Sequence[Sequence[StyleStatistics]],
        regions: Tensor | None,
        fallback: bool,
        strength: float,
    ) -> Tensor:
        transfer: Callable[[Tensor, int], Tensor]
        if regions is None:
            in_a_row = [style for own in styles for style in own]
            transfer = partial(transfer_photos, in_a_row, strength)
        else:
            transfer = GuidedTransfer(list(regions.cpu()), styles, fallback, strength)
        images = contents.to(next(self.parameters()))
        for level in LEVELS:
            features, poolings = self.encoder(level)(images)
            transferred = transfer(features, level)
            times = len(transferred) // len(features)
            repeated = [Pooling(repeat(p.indices, times), p.size) for p in poolings]
            images = self._decoder(level)(transferred, repeated)
        return images.reshape(len(contents), -1, *images.shape[1:])

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


def _pooling_tolerance(uri: str) -> float:
    """The tolerance that the metadata of a checkpoint name."""
    tolerance = read_metadata(uri).get(POOLING_TOLERANCE_KEY, "0")
    unknown = f"checkpoint {uri} asks for an unknown tolerance of poolings, {tolerance!r}"
    try:
        value = float(tolerance)
    except ValueError as error:
        raise CheckpointError(unknown) from error
    if not 0 <= value < math.inf:
        raise CheckpointError(unknown)
    return value


def _widths(weights: Mapping[str, Tensor], uri: str) -> dict[int, dict[str, int]]:
    """Output channels of every encoder convolution, by level and name."""
    widths: dict[int, dict[str, int]] = {}
    for level in LEVELS:
        widths[level] = {}
        for name in (name for block in ENCODER_BLOCKS[level] for name in block):
            key = f"e{level}.{name}.weight"
            if key not in weights or weights[key].ndim != 4:
                raise CheckpointError(
                    f"checkpoint {uri} is not a PhotoWCT network: no kernel {key}"
                )
            widths[level][name] = weights[key].shape[0]
    return widths
