"""The edges between instances, which some generators take as a channel, or between classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def instance_edges(instance_ids: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Mark the pixels with a right, left, upper or lower neighbour of another instance.

    Both sides of a border are marked; the rim of the image is not a border. This is the edge
    channel of SPADE and, before it, of pix2pixHD (Wang et al., CVPR 2018).

    Args:
        instance_ids: Instance maps, any integer dtype [H, W] or [N, H, W].

    Returns:
        Edges, bool of the same shape.
    """
    edges = np.zeros(instance_ids.shape, np.bool_)
    across = instance_ids[..., :, 1:] != instance_ids[..., :, :-1]
    edges[..., :, 1:] |= across
    edges[..., :, :-1] |= across
    down = instance_ids[..., 1:, :] != instance_ids[..., :-1, :]
    edges[..., 1:, :] |= down
    edges[..., :-1, :] |= down
    return edges
