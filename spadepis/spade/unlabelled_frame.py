"""The frame without labels that many label maps have, and that no photo should show."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from spadepis.labels.label_space import UNKNOWN_CLASSES, LabelSpace

Frame = Literal["kept", "filled"]

# Nine in ten frames of ADE20K are at most a hundredth of the shorter side wide.
SIDE_TO_WIDEST_FRAME = 64


def fill_frame(
    labels: NDArray[np.integer[Any]], edges: NDArray[np.bool_] | None, space: LabelSpace
) -> tuple[NDArray[np.integer[Any]], NDArray[np.bool_] | None]:
    """Continue the classes of label maps up to their borders.

    In most label maps of ADE20K the outermost lines are unlabelled. Synthesized photos would show
    them as a frame, and a broad one, because the coarse maps of a generator sample the first row
    and the first column. Unlabelled pixels that are less than 1/64 of the shorter side away from
    the border take the class of the nearest pixel further in. Where that is unlabelled too, they
    stay as they are.

    Args:
        labels: class indices [N,H,W].
        edges: instance edges [N,H,W], or None. Those beside a pixel that changes are removed.
        space: the label space.

    Returns:
        New class indices and edges.
    """
    width = min(labels.shape[1:]) // SIDE_TO_WIDEST_FRAME
    if not width:
        return labels, edges
    unknown = [i for i, name in enumerate(space.names) if name in UNKNOWN_CLASSES]
    inner = labels[:, width:-width, width:-width]
    continued = np.pad(inner, [(0, 0), (width, width), (width, width)], mode="edge")
    filled = np.where(np.isin(labels, unknown), continued, labels)
    if edges is not None:
        edges = edges & ~maximum_filter(filled != labels, size=(1, 3, 3))
    return filled, edges
