"""The quality metrics: each is one function of this module, listed in ``METRICS``.

The name of the function is the name of the metric, of its column in the metadata, and in
thresholds. The libraries behind a metric take long to load, and only the stage that computes
metrics needs them: a function imports its own when it is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spadepis.quality.look import Look


@dataclass(frozen=True)
class Sample:
    """A result and what it can be compared with.

    Attributes:
        result: the photo to be measured, uint8 [H,W,3].
        label_map: its class indices, uint8 [H,W]; None if it has no label map.
        content: the photo before stylization, uint8 [H,W,3]; None if nothing was stylized.
        look: colours and features of the result; None if nothing was stylized.
        style_look: the same of the style photo.
    """

    result: NDArray[np.uint8]
    label_map: NDArray[np.uint8] | None = None
    content: NDArray[np.uint8] | None = None
    look: Look | None = None
    style_look: Look | None = None


def structure(sample: Sample) -> float | None:
    """How similar the edges of result and content are: SSIM, 1 for the same edges."""
    from spadepis.quality.structure import edge_similarity

    if sample.content is None:
        return None
    return edge_similarity(sample.content, sample.result)


def feature_distance(sample: Sample) -> float | None:
    """Distance of the features of result and style; 0 for the same, 1 for a black picture."""
    from spadepis.quality import look

    if sample.look is None or sample.style_look is None:
        return None
    return look.feature_distance(sample.look.features, sample.style_look.features)


def lab_distance(sample: Sample) -> float | None:
    """Distance of the colours of result and style in CIELAB, where 2.3 is just visible."""
    from spadepis.quality.look import colour_distance

    if sample.look is None or sample.style_look is None:
        return None
    return colour_distance(sample.look.colours, sample.style_look.colours)


def clipped(sample: Sample) -> float | None:
    """Share of pixels of the result with a channel that is 0 or 255."""
    from spadepis.quality.appearance import clipped_share

    return clipped_share(sample.result)


def sharpness(sample: Sample) -> float | None:
    """Standard deviation of the Laplacian of the result's luminance, in 8-bit levels."""
    from spadepis.quality import appearance

    return appearance.sharpness(sample.result)


def boundary_disagreement(sample: Sample) -> float | None:
    """How little the result's edges say where the label map has boundaries: 0 to 1, 0.5 for chance.

    There is none for a label map without boundaries, or one that has them everywhere.
    """
    from spadepis.quality import structure

    if sample.label_map is None:
        return None
    disagreement = structure.boundary_disagreement(sample.label_map, sample.result)
    return None if math.isnan(disagreement) else disagreement


def blockiness(sample: Sample) -> float | None:
    """How much the edges of 8x8 blocks stand out in the result, in 8-bit levels; 0 for not at all.

    There is none for results with fewer than 11 rows or columns.
    """
    from spadepis.quality import appearance

    step = appearance.blockiness(sample.result)
    return None if math.isnan(step) else step


def stripes(sample: Sample) -> float | None:
    """Share of the result's power in purely horizontal and vertical frequencies, 0 to 1.

    There is none for results of a single colour, with fewer than 48 rows and columns, or with fewer
    than 3 of either.
    """
    from spadepis.quality import artifacts

    share = artifacts.stripes(sample.result)
    return None if math.isnan(share) else share


def frame(sample: Sample) -> float | None:
    """How much more the result changes at its border than a little further in; 1 for no more.

    There is none where nothing changes further in, or for results with fewer than 17 rows or
    columns.
    """
    from spadepis.quality import artifacts

    ratio = artifacts.frame(sample.result)
    return None if math.isnan(ratio) else ratio


# By name, in the order of the columns of the metadata.
METRICS: Mapping[str, Callable[[Sample], float | None]] = {
    metric.__name__: metric
    for metric in (
        structure,
        feature_distance,
        lab_distance,
        clipped,
        sharpness,
        boundary_disagreement,
        blockiness,
        stripes,
        frame,
    )
}

# Those that compare a result with its content or its style, and with its label map.
OF_STYLIZATION = ("structure", "feature_distance", "lab_distance")
OF_LABEL_MAPS = ("boundary_disagreement",)


def metrics_of(stylized: bool, with_label_maps: bool) -> Sequence[str]:
    """The names of the metrics that results have.

    Args:
        stylized: whether they were stylized.
        with_label_maps: whether they have label maps.
    """
    without = (() if stylized else OF_STYLIZATION) + (() if with_label_maps else OF_LABEL_MAPS)
    return [name for name in METRICS if name not in without]


def measure(sample: Sample) -> dict[str, float | None]:
    """All metrics of a result by name; None for those that have nothing to compare it with."""
    return {name: metric(sample) for name, metric in METRICS.items()}
