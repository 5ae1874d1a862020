"""A label map and its instance map in the making, seen through a pinhole camera."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from spadepis.labels import COCO_STUFF

__all__ = ["FIRST_OBJECT", "SIZE", "Camera", "Layout", "Mask"]

SIZE: Final = 512
"""Height and width of a layout in pixels."""

Mask: TypeAlias = NDArray[np.bool_]

FIRST_OBJECT: Final = 256
"""Least id of an object in an instance map; classes have smaller ones."""

_NUM_THINGS = 91
_NEAREST = 0.2


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with a level gaze, standing at x = z = 0.

    The world is in metres: x to the right, y up from the ground, z ahead.

    Attributes:
        focal: Focal length in pixels.
        horizon: Image row of the horizon.
        height: Height above the ground in metres.
        yaw: Angle of the gaze to the right of the z axis in radians.
    """

    focal: float = 440.0
    horizon: float = 290.0
    height: float = 1.7
    yaw: float = 0.0

    @property
    def right(self) -> NDArray[np.float64]:
        """Unit vector along the image rows, [3]."""
        return np.array([np.cos(self.yaw), 0.0, -np.sin(self.yaw)])

    def project(self, points: ArrayLike) -> list[tuple[float, float]]:
        """Project the corners of a polygon, [N, 3], to columns and rows; clip what is behind."""
        ahead = np.array([np.sin(self.yaw), 0.0, np.cos(self.yaw)])
        local = np.asarray(points) @ np.stack([self.right, [0.0, 1.0, 0.0], ahead], axis=1)
        seen = []
        for start, end in zip(local, np.roll(local, -1, axis=0), strict=True):
            if start[2] >= _NEAREST:
                seen.append(start)
            if (start[2] >= _NEAREST) != (end[2] >= _NEAREST):
                seen.append(start + (_NEAREST - start[2]) / (end[2] - start[2]) * (end - start))
        return [
            (SIZE / 2 + self.focal * x / z, self.horizon + self.focal * (self.height - y) / z)
            for x, y, z in seen
        ]

    def pixels_per_metre(self, x: float, z: float) -> float:
        """Size in the image of a metre at a place of the ground in front of the camera."""
        return float(self.focal / (x * np.sin(self.yaw) + z * np.cos(self.yaw)))


class Layout:
    """A label map and its instance map, painted from far to near.

    Attributes:
        rng: Source of everything irregular.
        camera: Camera the scene is seen through.
        labels: COCO-Stuff class indices, uint8 [SIZE, SIZE].
        instances: as in the maps SPADE was trained with, the class index for stuff and a different
            id from 256 on for every object, uint16 [SIZE, SIZE].
    """

    def __init__(self, rng: np.random.Generator, camera: Camera, backdrop: str) -> None:
        self.rng = rng
        self.camera = camera
        self.labels = np.full((SIZE, SIZE), COCO_STUFF.names.index(backdrop), np.uint8)
        self.instances = self.labels.astype(np.uint16)
        self._num_objects = 0

    def paint(self, mask: Mask, name: str) -> None:
        """Give the pixels of a mask to a class; of a thing class, as one new object."""
        index = COCO_STUFF.names.index(name)
        is_thing = index < _NUM_THINGS
        self._num_objects += is_thing
        self.labels[mask] = index
        self.instances[mask] = FIRST_OBJECT - 1 + self._num_objects if is_thing else index

    def faces(self, *polygons: ArrayLike) -> Mask:
        """Pixels of the union of polygons in the world, each [N, 3]."""
        image = Image.new("L", (SIZE, SIZE))
        draw = ImageDraw.Draw(image)
        for polygon in polygons:
            corners = self.camera.project(polygon)
            if len(corners) >= 3:
                draw.polygon(corners, fill=1)
        return np.asarray(image, np.bool_)

    def ground(self, outline: ArrayLike, name: str) -> None:
        """Give a polygon of the ground, x and z [N, 2], to a class."""
        across, ahead = np.asarray(outline, np.float64).T
        self.paint(self.faces(np.stack([across, np.zeros_like(across), ahead], axis=1)), name)

    def billboard(self, x: float, z: float, *outlines: ArrayLike) -> Mask:
        """Pixels of upright outlines that face the camera, each across and up [N, 2]."""
        foot = np.array([x, 0.0, z])
        up = np.array([0.0, 1.0, 0.0])
        axes = np.stack([self.camera.right, up])
        return self.faces(*(foot + np.asarray(outline) @ axes for outline in outlines))

    def noise(self, period: float, stretch: float = 1.0) -> NDArray[np.float64]:
        """Fractal noise of about unit deviation, [SIZE, SIZE].

        Args:
            period: Size in pixels, in rows, of the largest features.
            stretch: How many times wider than high the features are.
        """
        total = np.zeros((SIZE, SIZE))
        weight = 1.0
        while period > 2.0:
            rows = int(SIZE / period) + 2
            columns = int(SIZE / (period * stretch)) + 2
            grid = self.rng.standard_normal((rows, columns)).astype(np.float32)
            smooth = Image.fromarray(grid).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
            total += weight * np.asarray(smooth)
            period, weight = period / 2.0, weight * 0.6
        return total

    def blob(self, at: ArrayLike, radii: ArrayLike, ragged: float) -> Mask:
        """Pixels of an irregular blob, the union of ellipses with a noisy outline.

        Args:
            at: Columns and rows of the middles, [2] or [N, 2].
            radii: Radii across and down in pixels, [2] or [N, 2].
            ragged: Deviation of the outline as a share of the radii.
        """
        rows, columns = np.ogrid[:SIZE, :SIZE]
        middles, radii = np.broadcast_arrays(np.atleast_2d(at), radii)
        squared = np.full((SIZE, SIZE), np.inf)
        for (column, row), (across, down) in zip(middles, radii, strict=True):
            ellipse = ((columns - column) / across) ** 2 + ((rows - row) / down) ** 2
            np.minimum(squared, ellipse, out=squared)
        noise = self.noise(max(3.0, 0.6 * radii.min()))
        blob: Mask = np.sqrt(squared) + ragged * noise < 1.0
        return blob

    def below(self, line: NDArray[np.float64]) -> Mask:
        """Pixels below a line of rows, [SIZE]."""
        below: Mask = np.arange(SIZE)[:, None] >= line
        return below

    def line(
        self, through: list[tuple[float, float]], roughness: float, period: float = 90.0
    ) -> NDArray[np.float64]:
        """Rows, [SIZE], of a fractal line near given columns and rows.

        Args:
            through: Columns, ascending, and rows.
            roughness: Height of the largest spikes in pixels.
            period: Width of the largest spikes in pixels.
        """
        at, rows = zip(*through, strict=True)
        columns = np.arange(SIZE)
        line: NDArray[np.float64] = np.interp(columns, at, rows)
        while period > 2.0:
            knots = np.arange(-self.rng.random() * period, SIZE + period, period)
            line += roughness * np.interp(columns, knots, self.rng.uniform(-1, 1, len(knots)))
            period, roughness = period / 2.0, roughness / 2.0
        return line
