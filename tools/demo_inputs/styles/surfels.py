"""Surfels: small discs of a surface, which everything in a scene but the sky is made of.

Plants are clouds of them. They are drawn with a depth buffer (Zwicker et al., "Surface Splatting",
SIGGRAPH 2001, without the filter), and what lies between a point and the light is counted in
columns along the light, a deep shadow map (Lokovic and Veach, SIGGRAPH 2000) of their areas.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from tools.demo_inputs.styles.noise import Array

__all__ = ["Camera", "Surfels", "light_depth", "splat"]


@dataclass(frozen=True)
class Camera:
    """A camera at (0, 0, height) that looks along the forward axis, its sensor upright.

    Attributes:
        width: Pixels.
        height: Pixels.
        focal: Focal length in widths of the sensor.
        horizon: Row of the horizon, in heights from the top.
        eye: Metres above zero.
    """

    width: int
    height: int
    focal: float
    horizon: float
    eye: float

    @property
    def focal_pixels(self) -> float:
        """Focal length in pixels."""
        return self.focal * self.width

    def project(self, points: Array) -> tuple[Array, Array, Array]:
        """Column, row and depth of points [N, 3] before the camera."""
        depth = np.maximum(points[:, 1], 1e-3)
        column = self.width / 2 + self.focal_pixels * points[:, 0] / depth
        row = self.horizon * self.height - self.focal_pixels * (points[:, 2] - self.eye) / depth
        return column, row, points[:, 1]

    def rays(self) -> Array:
        """Directions through the pixels' centres, forward component 1, [height, width, 3]."""
        right = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal_pixels
        up = (self.horizon * self.height - np.arange(self.height) - 0.5) / self.focal_pixels
        columns, rows = np.meshgrid(right, up)
        return np.stack([columns, np.ones_like(columns), rows], axis=-1)


@dataclass(frozen=True)
class Surfels:
    """Surface samples.

    Attributes:
        position: Metres, [N, 3].
        normal: Unit vectors, [N, 3].
        albedo: Diffuse reflectance in [0, 1], [N, 3].
        radius: Metres, [N].
        translucency: Part of the albedo that shines through, as in leaves, [N].
        emission: Radiance, [N, 3].
    """

    position: Array
    normal: Array
    albedo: Array
    radius: Array
    translucency: Array
    emission: Array

    @classmethod
    def of(
        cls, position: Array, normal: Array, albedo: Array, radius: float, translucency: float = 0
    ) -> "Surfels":
        """Dark surfels of one radius and translucency."""
        count = len(position)
        normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
        return cls(
            position.astype(np.float32),
            normal.astype(np.float32),
            np.broadcast_to(albedo, (count, 3)).astype(np.float32),
            np.full(count, radius, np.float32),
            np.full(count, translucency, np.float32),
            np.zeros((count, 3), np.float32),
        )

    @classmethod
    def glowing(cls, position: Array, radiance: Array, radius: float) -> "Surfels":
        """Black surfels at positions [N, 3] with radiances [N, 3] or [3]."""
        black = cls.of(position, np.ones_like(position), np.zeros(3), radius)
        return replace(black, emission=np.broadcast_to(radiance, position.shape))

    @classmethod
    def join(cls, parts: list["Surfels"]) -> "Surfels":
        """All surfels of the parts, in their order."""
        return cls(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls))
        )

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Surfels":
        """The surfels chosen by a mask or by indices."""
        return Surfels(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def at(self, offset: Array) -> "Surfels":
        """The same surfels moved by an offset [3]."""
        return replace(self, position=self.position + offset.astype(np.float32))


def splat(camera: Camera, surfels: Surfels, depth: Array) -> NDArray[np.int64]:
    """Draw surfels as discs that face the camera, into a picture that has depths already.

    Args:
        camera: The camera.
        surfels: What is drawn; a disc smaller than a pixel covers one.
        depth: Forward distance of what is there, metres, [H, W].

    Returns:
        Index of the surfel seen at each pixel, -1 where what was there is nearer, int64 [H, W].
    """
    column, row, distance = camera.project(surfels.position)
    size = np.clip(camera.focal_pixels * surfels.radius / np.maximum(distance, 0.1), 0, 12)
    buffer = _packed(depth.ravel(), np.full(depth.size, -1))
    for radius in range(int(size.max(initial=0)) + 1):
        chosen = np.flatnonzero((size.astype(np.int64) == radius) & (distance > 0.5))
        for down, right in _disc(radius):
            x = np.floor(column[chosen] + right).astype(np.int64)
            y = np.floor(row[chosen] + down).astype(np.int64)
            inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
            shown = chosen[inside]
            pixels = y[inside] * camera.width + x[inside]
            np.minimum.at(buffer, pixels, _packed(distance[shown], shown))
    return ((buffer & 0xFFFFFFFF) - 1).reshape(depth.shape)


def _packed(depth: Array, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Depth in the upper bits and index + 1 in the lower, so that the nearest is the least."""
    millimetres = np.minimum(depth * 1000, 2.0**30).astype(np.int64)
    return (millimetres << 32) | (index + 1)


def _disc(radius: int) -> list[tuple[int, int]]:
    span = range(-radius, radius + 1)
    return [(y, x) for y in span for x in span if x * x + y * y <= radius * radius + radius]


def light_depth(
    points: Array, occluders: Surfels, direction: Array, cell: float, seed: int = 0
) -> Array:
    """Optical depth of the surfels between points and a distant light.

    Args:
        points: Points that are lit, [M, 3].
        occluders: Surfels of any orientation: each shades half its area on average.
        direction: Unit vector to the light.
        cell: Side of the columns in which occluders are counted, metres.
        seed: Seed of the points' jitter by half a column, which hides the columns.

    Returns:
        Optical depth at the points, [M].
    """
    rng = np.random.default_rng(seed)
    across = np.cross(direction, [0.31, 0.95, 0.05])
    across /= np.linalg.norm(across)
    frame = np.stack([across, np.cross(direction, across), direction], axis=-1).astype(np.float32)
    place = np.concatenate([points, occluders.position]) @ (frame / np.float32(cell))
    # Towards the light by half a cell, that a leaf may not hide itself.
    place[: len(points), 2] += 0.5
    place[: len(points), :2] += rng.uniform(-0.5, 0.5, (len(points), 2)).astype(np.float32)
    grid = np.floor(place[:, :2]).astype(np.int64)
    grid -= grid.min(axis=0)
    columns = grid[:, 0] * (grid[:, 1].max() + 1) + grid[:, 1]
    # From the light downwards in each column.
    down = ((place[:, 2].max() - place[:, 2]) * 32).astype(np.int64)
    order = np.argsort((columns << 28) | np.minimum(down, (1 << 28) - 1))
    area = np.concatenate([np.zeros(len(points)), np.pi / 2 * occluders.radius**2]) / cell**2
    passed = np.cumsum(area[order]) - area[order]
    starts = np.flatnonzero(np.diff(columns[order], prepend=-1))
    before = np.repeat(passed[starts], np.diff(np.append(starts, len(order))))
    depth = np.empty(len(order))
    depth[order] = passed - before
    return depth[: len(points)]
