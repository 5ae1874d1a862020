"""Whether a picture has the structure of another, and that of a label map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter
from scipy.stats import mannwhitneyu
from skimage.color import rgb2gray
from skimage.filters import sobel
from skimage.metrics import structural_similarity

# How far from a boundary an edge may lie to be of it, and how far the edges of others have to.
REACH = 1
FAR = 3


def edge_similarity(content: NDArray[np.uint8], result: NDArray[np.uint8]) -> float:
    """SSIM (Wang et al., 2004) between the luminance edges of two pictures, at most 1.

    Edges are magnitudes of the Sobel gradient: a picture may become darker or take another colour
    without losing any, and what it loses or gains of structure counts.

    Args:
        content: uint8 [H,W,3], sides of 7 or more.
        result: likewise, of the same size.
    """
    edges = [sobel(rgb2gray(image)) for image in (content, result)]
    return float(structural_similarity(*edges, data_range=1.0))


def boundary_disagreement(label_map: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """How little the edges of a picture tell where the label map has its boundaries.

    It is the chance that a pixel beside a boundary has a weaker edge, within a pixel of it, than
    one that is farther than 3 pixels from any: 1 minus the area under the ROC curve. It is 0 where
    boundaries are the strongest edges, 0.5 for a picture that knows nothing of the label map.

    Args:
        label_map: class indices, uint8 [H,W].
        image: uint8 [H,W,3].

    Returns:
        0 to 1; NaN where no pixel is beside a boundary, or none is far from it.
    """
    beside = np.zeros(label_map.shape, np.bool_)
    down = label_map[1:] != label_map[:-1]
    right = label_map[:, 1:] != label_map[:, :-1]
    beside[1:] |= down
    beside[:-1] |= down
    beside[:, 1:] |= right
    beside[:, :-1] |= right
    far = ~binary_dilation(beside, iterations=FAR)
    if not beside.any() or not far.any():
        return float("nan")
    edges = maximum_filter(sobel(rgb2gray(image)), size=2 * REACH + 1)
    # Mann and Whitney's U over its largest value is the area under the curve.
    test = mannwhitneyu(edges[beside], edges[far], method="asymptotic")
    return float(1 - test.statistic / (beside.sum() * far.sum()))
