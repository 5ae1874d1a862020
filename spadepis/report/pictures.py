"""Which images of a set are shown, in the report and on the contact sheet, and their styles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.photos import read_photo

# The report stays small, however large the set is.
SPREAD_IMAGES = 48
# A page cannot link to rows of shards, so that these images become part of it.
SPREAD_IMAGES_OF_SHARDS = 24
EXTREME_IMAGES = 6
SPREAD = "spread over the set"
# The metrics whose extremes are shown, with the names of the lowest and of the highest values.
EXTREMES: Mapping[str, tuple[str, str]] = {
    "structure": ("least structure kept", "most structure kept"),
    "lab_distance": ("nearest to the style", "farthest from the style"),
}
VIEWS = (SPREAD, *(name for names in EXTREMES.values() for name in names))
MOST_STYLE_PIXELS = 80_000_000

Row = Mapping[str, Any]


def choose_images(images: pa.Table) -> dict[int, dict[str, int]]:
    """Images spread evenly over a set, and those with extreme metrics.

    Args:
        images: the done pairs of a set, rows of ``SCHEMA``.

    Returns:
        By row of the table, the views that show the image, names out of ``VIEWS``, each with the
        place of the image in it.
    """
    if not len(images):
        return {}
    in_shards = pc.any(pc.match_substring(images["file_name"], "#")).as_py()
    count = min(len(images), SPREAD_IMAGES_OF_SHARDS if in_shards else SPREAD_IMAGES)
    shown: dict[int, dict[str, int]] = {
        row: {SPREAD: place} for place, row in enumerate(_spread_rows(len(images), count))
    }
    for metric, names in EXTREMES.items():
        for name, order in zip(names, ("ascending", "descending"), strict=True):
            for place, row in enumerate(_first_rows(images[metric], order)):
                shown.setdefault(row, {})[name] = place
    return shown


def choose_scenes(images: pa.Table, count: int) -> list[Row]:
    """One image of each of ``count`` scenes spread evenly over a set.

    Each is the image in the style that was chosen least so far.

    Args:
        images: the metadata of a set.
        count: how many scenes, fewer if the set has fewer.
    """
    ids = pc.unique(images["mask_id"])
    count = min(count, len(ids))
    shown: Counter[str | None] = Counter()
    chosen = []
    for index in range(count):
        scene = images.filter(pc.equal(images["mask_id"], ids[index * len(ids) // count]))
        row = min(scene.to_pylist(), key=lambda row: shown[row["style_id"]])
        shown[row["style_id"]] += 1
        chosen.append(row)
    return chosen


def read_style(source: str) -> NDArray[np.uint8] | None:
    """A style photo, uint8 [H,W,3]; None if it is no longer where the job found it."""
    try:
        return read_photo(source, MOST_STYLE_PIXELS)
    except UnreadableImageError:
        return None


def _spread_rows(rows: int, count: int) -> list[int]:
    """One row out of each of ``count`` equal parts, the same ones at each call.

    Which one is random: every n-th row would be of the same style if n were a multiple of the
    number of styles of a scene.
    """
    edges = np.arange(count + 1) * rows // count
    chosen: list[int] = np.random.default_rng(0).integers(edges[:-1], edges[1:]).tolist()
    return chosen


def _first_rows(values: pa.ChunkedArray, order: str) -> list[int]:
    """Indices of the lowest or highest values that are known."""
    count = min(EXTREME_IMAGES, len(values) - values.null_count)
    keys = [("value", order)]
    rows: list[int] = pc.select_k_unstable(
        pa.table({"value": values}), k=count, sort_keys=keys
    ).to_pylist()
    return rows
