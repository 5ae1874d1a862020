"""Whether a picture has the structure of another picture or of a label map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter
from scipy.stats import mannwhitneyu
from skimage.color import rgb2gray
from skimage.filters import sobel
from skimage.metrics import structural_similarity

from spadepis.labels.edges import instance_edges

# Weights of red, green and blue in luminance.
LUMINANCE = np.array((2125, 7154, 721))
# An edge belongs to a boundary up to the first distance in pixels, and to none beyond the second.
REACH = 1
FAR = 3


def edge_similarity(content: NDArray[np.uint8], result: NDArray[np.uint8]) -> float:
    """SSIM (Wang et al., 2004) between the luminance edges of two pictures, at most 1.

    Edges are magnitudes of the Sobel gradient. A picture may become darker or change its colours
    without losing them; structure that is lost or added lowers the similarity.

    Args:
        content: uint8 [H,W,3], sides of 7 or more.
        result: uint8 [H,W,3], of the same size.
    """
    edges = [sobel(rgb2gray(image)) for image in (content, result)]
    return float(structural_similarity(*edges, data_range=1.0))


def boundary_disagreement(label_map: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """How little the edges of a picture tell where the label map has its boundaries.

    It is the probability that the strongest edge within a pixel of a boundary pixel is weaker than
    that of a pixel more than 3 pixels away from all boundaries: 1 minus the area under the ROC
    curve. It is 0 where boundaries are the strongest edges, and 0.5 for a picture that has nothing
    to do with the label map.

    Args:
        label_map: class indices, uint8 [H,W].
        image: uint8 [H,W,3].

    Returns:
        0 to 1; NaN if no pixel is beside a boundary, or none is far from all boundaries.
    """
    beside = instance_edges(label_map)
    far = ~binary_dilation(beside, iterations=FAR)
    if not beside.any() or not far.any():
        return float("nan")
    # With integers, edges of equal strength tie.
    edges = maximum_filter(sobel(image.astype(np.float64) @ LUMINANCE), size=2 * REACH + 1)
    # Mann and Whitney's U, divided by its largest value, is the area under the curve.
    test = mannwhitneyu(edges[beside], edges[far], method="asymptotic")
    return float(1 - test.statistic / (beside.sum() * far.sum()))
