"""Instance maps of COCO-Stuff, made from label maps and ``instances_*.json`` as for SPADE.

The published checkpoint has learnt from maps made in this way (Park et al., CVPR 2019; the script
for it comes with their release): the annotations of an image are painted over its label map in
the order of the file, the first with the id 0, the next with 1. Each polygon is moved by one pixel
up and to the left, crowds are left out, and ids may happen to equal the label around them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.storage.reading import read
from spadepis.filesystem_errors import reason

# SPADE's maps take COCO's coordinates as counted from 1.
ORIGIN = 1.0
# In pixels. Larger ones are no places in an image, and would overflow.
LARGEST_COORDINATE = 1e9
NO_INSTANCES = "it holds no instances as COCO writes them"


class AnnotationError(ValueError):
    """A file that is no ``instances_*.json`` of COCO, or annotations that cannot be painted."""


class Annotation(NamedTuple):
    """One annotation as it stands in the file.

    Attributes:
        id: its id or, without one, its place in the file.
        segmentation: polygons, each x and y in turn, in pixels; or a run-length encoded mask. It
            has not been checked.
    """

    id: str
    segmentation: Any


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and its annotations, without crowds.

    Attributes:
        file_name: path of the photo, as the file gives it.
        size: height and width, where the file gives them.
        annotations: in the order of the file.
    """

    file_name: str
    size: tuple[int, int] | None = None
    annotations: list[Annotation] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The path of the photo without suffix."""
        file = PurePosixPath(self.file_name)
        return str(file.parent / file.stem)


def read_annotations(uri: str) -> Sequence[AnnotatedImage]:
    """Read an ``instances_*.json`` of COCO.

    The largest, of train2017, has 450 MB and takes a few times as much memory.

    Returns:
        All images, also those without annotations, in the order of the file.

    Raises:
        AnnotationError: naming the file and the reason.
        CredentialsError: the URI holds credentials.
    """
    try:
        text = read(uri)
    except OSError as error:
        raise AnnotationError(f"{uri} cannot be read ({reason(error)})") from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{uri} is not JSON ({error})") from error
    try:
        match content:
            case {"images": list() as images, "annotations": list() as annotations}:
                return _annotated(images, annotations)
        raise AnnotationError(NO_INSTANCES)
    except AnnotationError as error:
        raise AnnotationError(f"{uri}: {error}") from error


def _annotated(images: Sequence[Any], annotations: Sequence[Any]) -> list[AnnotatedImage]:
    by_id: dict[int | float | str, AnnotatedImage] = {}
    for number, image in enumerate(images):
        match image:
            case {"id": int() | float() | str() as id, "file_name": str() as name} if name:
                if id in by_id:
                    raise AnnotationError(f"{by_id[id].file_name} and {name} have the id {id}")
                by_id[id] = AnnotatedImage(name, _size_of(image))
            case _:
                raise AnnotationError(f"image {number}, counted from 0, has no id and file_name")
    for number, annotation in enumerate(annotations):
        if not isinstance(annotation, Mapping):
            raise AnnotationError(NO_INSTANCES)
        name = str(annotation.get("id", f"number {number}, counted from 0,"))
        match annotation.get("image_id"):
            case int() | float() | str() as id if id in by_id:
                if not annotation.get("iscrowd"):
                    segmentation = annotation.get("segmentation")
                    by_id[id].annotations.append(Annotation(name, segmentation))
            case unknown:
                raise AnnotationError(
                    f"annotation {name} is of the image {unknown}, which is not in the file"
                )
    return list(by_id.values())


def _size_of(image: Mapping[str, Any]) -> tuple[int, int] | None:
    match image:
        # Some programs write 0 where they do not know.
        case {"height": int() as height, "width": int() as width} if height and width:
            return height, width
    return None


def match_images(ids: Iterable[str], images: Iterable[AnnotatedImage]) -> dict[str, AnnotatedImage]:
    """The image of each label map, whose id is its path without suffix, as far as there is one.

    It is that of the same path or, if there is none, that of the same name in whatever folder.

    Raises:
        AnnotationError: a label map may belong to several images, or several to the same one.
    """
    by_path: dict[str, AnnotatedImage] = {}
    by_name: dict[str, list[AnnotatedImage]] = {}
    for image in images:
        other = by_path.setdefault(image.path, image)
        if other is not image:
            raise AnnotationError(f"{other.file_name} and {image.file_name} are the same image")
        by_name.setdefault(_name(image.path), []).append(image)
    found: dict[str, AnnotatedImage] = {}
    id_of: dict[str, str] = {}
    for id in ids:
        candidates = [by_path[id]] if id in by_path else by_name.get(_name(id), [])
        if len(candidates) > 1:
            names = " or ".join(image.file_name for image in candidates[:2])
            raise AnnotationError(f"the label map {id} may be that of {names}")
        for image in candidates:
            other_id = id_of.setdefault(image.path, id)
            if other_id != id:
                raise AnnotationError(
                    f"{image.file_name} may be the image of the label maps {other_id} and {id}"
                )
            found[id] = image
    return found


def _name(path: str) -> str:
    return PurePosixPath(path).name


def paint_instances(
    label_map: NDArray[np.integer[Any]], image: AnnotatedImage
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Paint the annotations of an image over its label map, each with its number.

    Args:
        label_map: values in [0, 65535], any integer dtype [H, W].
        image: the image.

    Returns:
        Instance map [H, W], uint8 where all ids fit, as in SPADE's maps, else uint16.

    Raises:
        AnnotationError: the image has another size, or an annotation is broken; with its id.
    """
    height, width = label_map.shape
    if image.size is not None and image.size != (height, width):
        raise AnnotationError(
            f"it has {width}x{height} pixels, and the annotations are of {image.file_name} with "
            f"{image.size[1]}x{image.size[0]}"
        )
    ids = label_map.astype(np.uint16)
    for number, annotation in enumerate(image.annotations):
        try:
            for mask in _masks(annotation.segmentation, height, width):
                ids[mask] = number
        except AnnotationError as error:
            raise AnnotationError(f"annotation {annotation.id} {error}") from error
    return ids.astype(np.uint8) if ids.max() < 256 else ids


def _masks(segmentation: Any, height: int, width: int) -> Iterable[NDArray[np.bool_]]:
    """The masks of an annotation, bool [height, width]."""
    match segmentation:
        case list() as polygons:
            return (polygon_mask(_vertices(polygon), height, width) for polygon in polygons)
        case {"size": [int() as rows, int() as columns], "counts": str() | list() as counts}:
            if (rows, columns) != (height, width):
                raise AnnotationError(
                    f"has a mask of {columns}x{rows} pixels, and the label map has {width}x{height}"
                )
            return [_run_length_mask(counts, height, width)]
    raise AnnotationError("has no segmentation as COCO writes it, polygons or run lengths")


def _vertices(polygon: Any) -> NDArray[np.float64]:
    """The vertices of a polygon of COCO, x and y of each, float [V, 2]."""
    try:
        numbers = np.array(polygon)
    except ValueError as error:
        raise AnnotationError("has a broken polygon, whose coordinates are lists") from error
    if numbers.ndim != 1 or numbers.dtype.kind not in "iuf":
        raise AnnotationError("has a broken polygon, which is no list of numbers")
    if not numbers.size or numbers.size % 2:
        raise AnnotationError(f"has a broken polygon, of {numbers.size} numbers")
    # False for what is not a number, too.
    if not (abs(numbers) < LARGEST_COORDINATE).all():
        raise AnnotationError("has a broken polygon, with coordinates that are no places")
    return numbers.astype(np.float64).reshape(-1, 2) - ORIGIN


def _run_length_mask(counts: str | Sequence[int], height: int, width: int) -> NDArray[np.bool_]:
    """A mask of COCO, bool [height, width]: runs outside and inside in turn, column by column."""
    lengths = _decompress(counts) if isinstance(counts, str) else counts
    are_lengths = all(isinstance(length, int) and length >= 0 for length in lengths)
    if not are_lengths or sum(lengths) != height * width:
        raise AnnotationError("has run lengths that do not fill its mask")
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(height, width, order="F")


def _decompress(text: str) -> list[int]:
    """The run lengths in the text that COCO's own tools make of them.

    Each character holds 5 bits, the lowest first, and whether others of the same number follow.
    From the fourth on, numbers are differences to the one before the last.
    """
    lengths: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - ord("0")
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            sign = 1 << shift if bits & 16 else 0
            lengths.append(number - sign + (lengths[-2] if len(lengths) > 2 else 0))
            number = shift = 0
    return lengths


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
