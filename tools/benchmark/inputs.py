"""The label maps and photos that the stages are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.configuration import ConfigurationError
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_label_map, resize_label_map
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.dataset.inputs.photos import read_photo, resize_photo
from spadepis.labels import instance_edges
from tools.benchmark.config import BenchmarkConfig

MAX_PIXELS = 2**26
# The weight of the style photo in what replaces a stylized photo.
FOREIGN_SHARE = 0.3


@dataclass(frozen=True)
class Inputs:
    """Images of one size, on the CPU.

    Attributes:
        labels: class indices, int64 [N,H,W].
        edges: instance edges, bool [N,H,W]; None where the label space has none.
        contents: photos, uint8 [N,H,W,3].
        styles: photos, uint8 [K,H,W,3].
    """

    labels: Tensor
    edges: Tensor | None
    contents: NDArray[np.uint8]
    styles: NDArray[np.uint8]

    def stylized(self) -> NDArray[np.float32]:
        """Contents in the colours of the styles, with a share of their shapes: [N,K,H,W,3].

        They replace stylized photos as the input of smoothing, so that its speed does not depend
        on the weights of the networks; the solver needs as many iterations for them.
        """
        contents = self.contents.astype(np.float32) / 255
        styles = self.styles.astype(np.float32) / 255
        mean, spread = _colours(contents)
        style_mean, style_spread = _colours(styles)
        neutral = ((contents - mean) / (spread + np.float32(1e-3)))[:, None]
        recoloured = (neutral * style_spread + style_mean).clip(0, 1)
        stylized = np.empty(recoloured.shape, np.float32)
        stylized[:] = (1 - FOREIGN_SHARE) * recoloured + FOREIGN_SHARE * styles
        return stylized


def read_inputs(config: BenchmarkConfig, size: int, styles: int) -> Inputs:
    """Read as many label maps and photos as a run needs, repeating files if there are too few.

    Raises:
        ConfigurationError: a folder or file cannot be used.
    """
    count = config.images_in_a_repeat
    try:
        photos = _photos(config.photos, size)
        contents = np.stack(list(islice(cycle(photos), count)))
        # A content is not its own style.
        styled = np.stack(list(islice(cycle(photos[1:] + photos[:1]), styles)))
        labels, edges = _label_maps(config, size, count)
    except (SourceError, UnreadableImageError, ValueError) as error:
        raise ConfigurationError(str(error)) from error
    return Inputs(labels, edges, contents, styled)


def _colours(
    images: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Mean and standard deviation of each channel of images [N,H,W,3], both [N,1,1,3]."""
    return images.mean((1, 2), keepdims=True), images.std((1, 2), keepdims=True)


def _photos(uri: str, size: int) -> list[NDArray[np.uint8]]:
    images = list_images(uri).images.values()
    return [resize_photo(read_photo(path, MAX_PIXELS), size, size) for path in images]


def _label_maps(config: BenchmarkConfig, size: int, count: int) -> tuple[Tensor, Tensor | None]:
    space = config.space
    masks = list_images(config.masks).images
    ids = list(islice(cycle(masks), count))
    labels = np.stack([space.decode(_label_map(masks[id], size)) for id in ids])
    if not space.has_instance_edges:
        return torch.from_numpy(labels), None
    if config.instance_maps is None:
        borders = labels
    else:
        instances = list_images(config.instance_maps)
        borders = np.stack([_label_map(instances.uri_of(id), size) for id in ids])
    edges = np.stack([instance_edges(instance_ids) for instance_ids in borders])
    return torch.from_numpy(labels), torch.from_numpy(edges)


def _label_map(uri: str, size: int) -> NDArray[np.integer[Any]]:
    return resize_label_map(read_label_map(uri, MAX_PIXELS), size, size)
