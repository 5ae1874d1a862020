"""The edges between instances, which some generators take as a channel, or between classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Maps are compared at this size, where borders may be one pixel apart.
COMPARED_SIDE = 256
# With fewer pixels at borders nothing can be told.
FEWEST_BORDER_PIXELS = 50


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


def border_agreement(
    label_map: NDArray[np.integer[Any]], instance_ids: NDArray[np.integer[Any]]
) -> float | None:
    """How far the borders of an instance map are those of the label map of the same scene.

    In some datasets every border of classes is one of instances, in others instance maps hold
    countable objects alone. So the larger of two shares counts: of the borders of classes that are
    borders of instances, and the other way round, each of what chance leaves over.

    Args:
        label_map: classes of any numbering, integers [H,W].
        instance_ids: integers [H',W'] of the same proportions.

    Returns:
        1 if they agree, about 0 for maps of different scenes, None if there are too few borders.
    """
    scale = min(1.0, COMPARED_SIDE / max(label_map.shape))
    height, width = (max(1, round(side * scale)) for side in label_map.shape)
    classes, instances = (
        instance_edges(_resized(plane, height, width)) for plane in (label_map, instance_ids)
    )
    if min(classes.sum(), instances.sum()) < FEWEST_BORDER_PIXELS:
        return None
    return max(_share_near(classes, instances), _share_near(instances, classes))


def _share_near(edges: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    """The share of edges that are near others, less that of all pixels, scaled to at most 1."""
    padded = np.pad(others, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    near = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    by_chance = near.mean()
    if by_chance == 1:
        return 1.0
    return float((near[edges].mean() - by_chance) / (1 - by_chance))


def _resized(plane: NDArray[np.integer[Any]], height: int, width: int) -> NDArray[np.integer[Any]]:
    """By nearest neighbour at pixel centres."""
    rows = (np.arange(height) + 0.5) * plane.shape[0] / height
    columns = (np.arange(width) + 0.5) * plane.shape[1] / width
    resized: NDArray[np.integer[Any]] = plane[
        rows.astype(np.intp)[:, None], columns.astype(np.intp)
    ]
    return resized
