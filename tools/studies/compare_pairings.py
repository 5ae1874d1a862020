"""Compare image sets whose styles were chosen in different ways: do the styles suit the scenes?

Prints a Markdown table; see docs/benchmarks.md#matched-styles.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from spadepis.cli.exit_status import exit_status
from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.reader import ImageSet
from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.labels import LabelSpace
from spadepis.labels.custom import find_label_space
from spadepis.labels.related_classes import find_region_labels
from spadepis.matching.descriptors import Descriptor, describe_label_map
from spadepis.quality.metrics import METRICS

MAX_PIXELS = 50_000_000
# The main classes of a scene are its largest ones; a style has a class if its share is this large.
MAIN_CLASSES = 2
LEAST_SHARE = 0.05


def compare_pairings(
    uris: Sequence[str], style_masks: str, label_space: LabelSpace
) -> Mapping[str, Mapping[str, float]]:
    """Measure how well the styles of each image set suit its scenes.

    ``overlap`` is the mean histogram intersection of the class shares of scene and style, and
    ``main_classes`` is the share of pairs whose style has the two largest classes of the scene. The
    other measures are means of the quality metrics. Related classes count as one.

    Args:
        uris: finished image sets with label maps.
        style_masks: label maps of the styles: a folder, a glob or shards.
        label_space: label space of all label maps.

    Returns:
        For each URI, the measures by name.

    Raises:
        ConfigurationError: an image set has no label maps, or one of its styles has none.
    """
    try:
        sources = list_images(style_masks).images
    except SourceError as error:
        raise ConfigurationError(str(error)) from error
    styles = {
        id: _shares(read_label_map(source, MAX_PIXELS), label_space)
        for id, source in sources.items()
    }
    return {uri: _figures(ImageSet(uri), styles, label_space) for uri in uris}


def table_of(figures: Mapping[str, Mapping[str, float]]) -> str:
    """The measures as a Markdown table with one column for each image set."""
    names = list(next(iter(figures.values())))
    lines = [f"| | {' | '.join(figures)} |", "|---" * (len(figures) + 1) + "|"]
    for name in names:
        cells = (f"{of_set[name]:.3f}" for of_set in figures.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figures(
    images: ImageSet, styles: Mapping[str, Descriptor], label_space: LabelSpace
) -> Mapping[str, float]:
    rows = images.table.select(["mask_id", "style_id"]).to_pylist()
    unknown = sorted({row["style_id"] for row in rows} - styles.keys())
    if unknown:
        raise ConfigurationError(f"--style-masks has no label map of the style {unknown[0]}")
    if rows and images[0][1] is None:
        raise ConfigurationError("an image set has no label maps: make it with --masks")
    first = {row["mask_id"]: index for index, row in reversed(list(enumerate(rows)))}
    scenes = {
        mask_id: _shares(np.asarray(images[index][1]), label_space)
        for mask_id, index in first.items()
    }
    pairs = [(scenes[row["mask_id"]], styles[row["style_id"]]) for row in rows]
    overlaps = [float(np.minimum(scene, style).sum()) for scene, style in pairs]
    figures = {
        "pairs": float(len(pairs)),
        "overlap": float(np.mean(overlaps)),
        "main_classes": float(np.mean([_has_main_classes(*pair) for pair in pairs])),
    }
    measured = [name for name in METRICS if name in images.table.column_names]
    return figures | {name: float(pc.mean(images.table[name]).as_py()) for name in measured}


def _has_main_classes(scene: Descriptor, style: Descriptor) -> bool:
    main = np.argsort(scene)[::-1][:MAIN_CLASSES]
    return bool((style[main[scene[main] > 0]] >= LEAST_SHARE).all())


def _shares(raw: NDArray[np.integer[Any]], label_space: LabelSpace) -> Descriptor:
    region_labels = find_region_labels(label_space, None)
    return describe_label_map(label_space.decode(raw).astype(np.uint8), region_labels)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("image_sets", nargs="+", help="output folders of finished jobs")
    parser.add_argument("--style-masks", required=True, help="label maps of the styles")
    parser.add_argument(
        "--label-space", default="coco-stuff", help="label space of all label maps (%(default)s)"
    )
    arguments = parser.parse_args()

    def work() -> int:
        """Print the table."""
        space = find_label_space(arguments.label_space)
        print(table_of(compare_pairings(arguments.image_sets, arguments.style_masks, space)))
        return 0

    sys.exit(exit_status(work))
