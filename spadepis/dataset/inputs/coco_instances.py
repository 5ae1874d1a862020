"""Instance maps of COCO-Stuff, made from label maps and ``instances_*.json`` as for SPADE.

The published checkpoint has learnt from maps made in this way (Park et al., CVPR 2019; the script
for it comes with their release): the annotations of an image are painted over its label map in
the order of the file, the first with the id 0, the next with 1. Each polygon is moved by one pixel
up and to the left, crowds are left out, and ids may happen to equal the label around them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.storage.errors import reason
from spadepis.dataset.storage.reading import read

Polygons: TypeAlias = Sequence[Sequence[float]]
"""One annotation: polygons as COCO writes them, x and y in turn, in pixels."""

# SPADE's maps take COCO's coordinates as counted from 1.
ORIGIN = 1.0


class AnnotationError(ValueError):
    """A file that is no ``instances_*.json`` of COCO."""


def read_annotations(uri: str) -> Mapping[str, Sequence[Polygons]]:
    """Read the polygons of an ``instances_*.json`` of COCO.

    The largest, of train2017, has 450 MB and takes a few times as much memory.

    Args:
        uri: local path or fsspec URI.

    Returns:
        By the stem of each image's file name its annotations in the order of the file, without
        crowds, which have no polygons. Images without annotations are there too.

    Raises:
        AnnotationError: naming the file and the reason.
        CredentialsError: the URI holds credentials.
    """
    try:
        content = json.loads(read(uri))
    except OSError as error:
        raise AnnotationError(f"{uri} cannot be read ({reason(error)})") from error
    except ValueError as error:
        raise AnnotationError(f"{uri} is not JSON ({error})") from error
    try:
        return _by_image(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise AnnotationError(f"{uri} holds no instances as COCO writes them") from error
    except AnnotationError as error:
        raise AnnotationError(f"{uri}: {error}") from error


def _by_image(content: Any) -> dict[str, list[Polygons]]:
    stems = {image["id"]: PurePosixPath(image["file_name"]).stem for image in content["images"]}
    annotations: dict[str, list[Polygons]] = {stem: [] for stem in stems.values()}
    for annotation in content["annotations"]:
        polygons = annotation["segmentation"]
        # That of a crowd is a run-length encoded mask, a mapping.
        if isinstance(polygons, list):
            if any(len(polygon) % 2 or not polygon for polygon in polygons):
                raise AnnotationError(f"annotation {annotation['id']} has a broken polygon")
            annotations[stems[annotation["image_id"]]].append(polygons)
    return annotations


def paint_instances(
    label_map: NDArray[np.integer[Any]], annotations: Sequence[Polygons]
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Paint annotations over a label map, each with its number.

    Args:
        label_map: values in [0, 65535], any integer dtype [H, W].
        annotations: annotations of the image, in the order of the file.

    Returns:
        Instance map [H, W], uint8 where all ids fit, as in SPADE's maps, else uint16.
    """
    ids = label_map.astype(np.uint16)
    for number, polygons in enumerate(annotations):
        for polygon in polygons:
            vertices = np.array(polygon, np.float64).reshape(-1, 2) - ORIGIN
            ids[polygon_mask(vertices, *ids.shape)] = number
    return ids.astype(np.uint8) if ids.max() < 256 else ids


def polygon_mask(vertices: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """The pixels whose centres lie in a polygon, by the even-odd rule.

    A pixel's centre has whole coordinates. Of the pixels exactly on an edge those on left and
    upper edges are inside, as in the point-in-polygon test of W. R. Franklin (PNPOLY), so that
    polygons which share an edge share no pixel. What lies outside of the image is cut off.

    Args:
        vertices: x and y of each, float [V, 2].
        height: height of the image.
        width: width of the image.

    Returns:
        Mask, bool [height, width].
    """
    x, y = vertices.T
    before_x, before_y = np.roll(vertices, 1, axis=0).T
    top, bottom = np.clip([np.floor(y.min()), np.ceil(y.max()) + 1], 0, height).astype(int)
    rows = np.arange(top, bottom)
    row, edge = np.nonzero((y <= rows[:, None]) != (before_y <= rows[:, None]))
    # In this order of operations for the same rounding as in the published maps.
    product = (before_x - x)[edge] * (rows[row] - y[edge])
    crossing = product / (before_y - y)[edge] + x[edge]
    # The first column at or behind each crossing; one past the last stands for all outside.
    column = np.ceil(crossing).clip(0, width).astype(int)
    crossings = np.zeros((len(rows), width + 1), np.int64)
    np.add.at(crossings, (row, column), 1)
    mask = np.zeros((height, width), np.bool_)
    mask[top:bottom] = crossings.cumsum(axis=1)[:, :-1] % 2 == 1
    return mask
