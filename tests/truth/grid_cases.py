"""Photos, label maps and instance maps that lie on the same grid, or do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from spadepis.labels import instance_edges
from tests.truth.case import Array, Case, Reader
from tests.truth.photo_cases import turned
from tests.truth.writers import RGB, chunk, exif, oriented, png

NOT_SAME = r"\d+x\d+ pixels and the (photo|label map) has \d+x\d+"
NOT_TOLD = "--label-grid stored or --label-grid displayed"


def _scene(height: int, width: int) -> tuple[Array, Array]:
    """A photo and its label map, neither with a symmetry, as stored."""
    rows, columns = np.mgrid[0:height, 0:width]
    photo = np.stack([4 * rows, 3 * columns, rows + columns], axis=2).astype(np.uint8)
    labels = (rows // 8 * 11 + columns // 8).astype(np.uint8)
    return photo, labels


@dataclass(frozen=True)
class _Pair:
    """A photo with an orientation and a label map, whose grid may differ."""

    size: tuple[int, int]
    orientation: int
    grid: str
    own_orientation: int | None = None

    def write(self, folder: Path, id: str) -> None:
        photo, labels = _scene(*self.size)
        self._write(folder / "photos" / f"{id}.png", photo, self.orientation)
        if self.grid == "displayed":
            labels = turned(labels, self.orientation)
        self._write(folder / "masks" / f"{id}.png", labels, self.own_orientation)

    @property
    def truth(self) -> tuple[Array, Array]:
        photo, labels = _scene(*self.size)
        return turned(photo, self.orientation), turned(labels, self.orientation)

    def _write(self, path: Path, pixels: Array, orientation: int | None) -> None:
        path.parent.mkdir(exist_ok=True)
        said = b"" if orientation is None else chunk(b"eXIf", exif([oriented(orientation)]))
        path.write_bytes(png(pixels, 8, RGB if pixels.ndim == 3 else 0, extra=said))


@dataclass(frozen=True)
class _Set:
    """Reads one pair of a set."""

    pair: _Pair
    others: Sequence[_Pair] = ()
    said: str | None = None

    def __call__(self, reader: Reader, folder: Path) -> tuple[Array, Array]:
        self.pair.write(folder, "pair")
        for i, other in enumerate(self.others):
            other.write(folder, f"other {i}")
        return reader.scene(folder, "pair", self.said)


@dataclass(frozen=True)
class _Sizes:
    """Reads a photo and a label map of other sizes."""

    photo: Array
    labels: Array

    def __call__(self, reader: Reader, folder: Path) -> tuple[Array, Array]:
        for name, pixels in (("photos", self.photo), ("masks", self.labels)):
            (folder / name).mkdir()
            Image.fromarray(pixels).save(folder / name / "pair.png")
        return reader.scene(folder, "pair", None)


@dataclass(frozen=True)
class _Instances:
    """Reads an instance map beside a label map."""

    labels: Array
    instances: Array

    def __call__(self, reader: Reader, folder: Path) -> Array:
        mask, instances = folder / "mask.png", folder / "instances.png"
        Image.fromarray(self.labels).save(mask)
        Image.fromarray(self.instances).save(instances)
        return reader.instances(mask, instances)


@dataclass(frozen=True)
class _InstanceSet:
    """Reads an instance map of a set whose other instance maps are right."""

    change: Callable[[Array], Array]

    def __call__(self, reader: Reader, folder: Path) -> Array:
        for i in range(12):
            labels, instances = _objects(i)
            changed = self.change(instances) if i == 5 else instances
            for name, pixels in (("masks", labels), ("instances", changed)):
                (folder / name).mkdir(exist_ok=True)
                Image.fromarray(np.ascontiguousarray(pixels)).save(folder / name / f"{i:02d}.png")
        return reader.instances_of_set(folder, "05")


def _objects(seed: int) -> tuple[Array, Array]:
    """A label map of rectangles and an instance map that numbers them."""
    generator = np.random.default_rng(seed)
    labels, instances = np.full((96, 128), 123, np.uint8), np.zeros((96, 128), np.uint8)
    for number in range(1, 9):
        top, left = generator.integers(0, (70, 100))
        height, width = generator.integers(12, 40, 2)
        labels[top : top + height, left : left + width] = generator.integers(0, 80)
        instances[top : top + height, left : left + width] = number
    return labels, instances


def _scaled(part: Array) -> Array:
    return np.asarray(Image.fromarray(part).resize((128, 96), Image.Resampling.NEAREST))


def _sets_of_instances() -> Iterator[Case]:
    truth = instance_edges(_objects(5)[1])
    borders = "its borders are not those of the label map"
    yield Case("instances of the scene", _InstanceSet(lambda ids: ids), truth)
    for name, change in {
        "cut to three quarters": lambda ids: _scaled(ids[:72, :96]),
        "cut to a half": lambda ids: _scaled(ids[24:72, 32:96]),
        "mirrored": lambda ids: ids[:, ::-1],
        "upside down": lambda ids: ids[::-1],
        "of another scene": lambda ids: _objects(99)[1],
    }.items():
        yield Case(f"instances {name}, of equal proportions", _InstanceSet(change), None, borders)


def _sets() -> Iterator[Case]:
    oblong, square = (32, 48), (40, 40)
    turned_by_size = {grid: _Pair(oblong, 6, grid) for grid in ("stored", "displayed")}
    for size in (oblong, square):
        for orientation in range(1, 9):
            for grid in ("stored", "displayed"):
                pair = _Pair(size, orientation, grid)
                name = f"{size[1]}x{size[0]}, exif {orientation}, map {grid}"
                decided = orientation == 1 or (size == oblong and orientation >= 5)
                refusal = None if decided else NOT_TOLD
                yield Case(f"{name}, alone", _Set(pair), pair.truth, refusal)
                yield Case(f"{name}, said", _Set(pair, said=grid), pair.truth)
                others = [_Pair(oblong, 1, grid), turned_by_size[grid]]
                yield Case(f"{name}, others tell", _Set(pair, others), pair.truth)
                mixed = list(turned_by_size.values())
                yield Case(f"{name}, others differ", _Set(pair, mixed), pair.truth, refusal)
                silent = [_Pair(oblong, 1, grid), _Pair(square, 3, grid)]
                yield Case(f"{name}, others silent", _Set(pair, silent), pair.truth, refusal)
    for orientation in range(2, 9):
        # Programs that copy the metadata of the photo into its label map.
        pair = _Pair(square, orientation, "stored", orientation)
        yield Case(f"map and photo say {orientation}", _Set(pair), pair.truth)


def _shapes() -> Iterator[Case]:
    photo, labels = _scene(48, 64)
    small = labels[4::8, 4::8]
    for name, other in {
        "the same size": labels,
        "twice the size": labels.repeat(2, 0).repeat(2, 1),
        "an eighth of the size": small,
        "one row less": labels[:-1],
    }.items():
        resized = np.asarray(Image.fromarray(other).resize((64, 48), Image.Resampling.NEAREST))
        yield Case(f"map of {name}", _Sizes(photo, other), (photo, resized))
    for name, other in {
        "turned": np.rot90(labels),
        "cut to a square": labels[:, 8:56],
        "two rows less": labels[:-2],
        "cut to half": labels[:24],
        "padded": np.pad(labels, ((0, 0), (0, 8))),
        "one pixel high": labels[:1],
        "squeezed": labels[::2],
    }.items():
        yield Case(f"map {name}", _Sizes(photo, np.ascontiguousarray(other)), None, NOT_SAME)
    for name, other in {"same": labels, "twice": labels.repeat(2, 0).repeat(2, 1)}.items():
        yield Case(f"instances {name}", _Instances(labels, other), instance_edges(labels))
    for name, other in {
        "of a half": labels[:24],
        "of the upper third": labels[:16],
        "turned": np.rot90(labels),
        "square": labels[:, :48],
    }.items():
        refused = _Instances(labels, np.ascontiguousarray(other))
        yield Case(f"instances {name}", refused, None, NOT_SAME)


def grid_cases() -> Iterator[Case]:
    """All cases of grids."""
    for case in (*_sets(), *_shapes(), *_sets_of_instances()):
        yield Case(f"grids: {case.name}", case.read, case.truth, case.refusal)
