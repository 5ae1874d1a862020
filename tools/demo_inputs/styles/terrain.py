"""Ground as a height field: layers of fractal relief, seen through a camera column by column."""

from dataclasses import dataclass

import numpy as np

from tools.demo_inputs.styles.noise import Array, FractalNoise, smoothstep
from tools.demo_inputs.styles.surfels import Camera

__all__ = ["Relief", "Terrain"]


@dataclass(frozen=True)
class Relief:
    """A layer of fractal relief.

    Attributes:
        amplitude: Standard deviation of its height, metres.
        period: Length after which it repeats, metres.
        begins: Forward distance at which it sets in, metres; full at twice that.
        lift: Metres added where it is full.
        ridged: Whether its crests are sharp, as in young mountains.
        seed: Seed of its noise.
        exponent: Of its amplitude spectrum: rougher when lower.
    """

    amplitude: float
    period: float
    begins: float = 0.0
    lift: float = 0.0
    ridged: bool = False
    seed: int = 0
    exponent: float = 2.0


class Terrain:
    """The sum of some layers of relief."""

    def __init__(self, layers: tuple[Relief, ...]) -> None:
        """Synthesize the layers' noise."""
        self._layers = [
            (layer, FractalNoise(layer.seed, exponent=layer.exponent)) for layer in layers
        ]

    def height(self, x: Array, y: Array) -> Array:
        """Height of the ground in metres, of the coordinates' shape."""
        total = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)))
        for layer, noise in self._layers:
            relief = noise(x, y, period=layer.period)
            if layer.ridged:
                relief = 1.5 - 2 * np.abs(relief)
            full = smoothstep(layer.begins, 2 * layer.begins, y) if layer.begins else 1.0
            total += full * (layer.amplitude * relief + layer.lift)
        return total

    def normal(self, x: Array, y: Array, step: Array) -> Array:
        """Unit normals by differences over ``step`` metres, [..., 3]."""
        here = self.height(x, y)
        across = (self.height(x + step, y) - here) / step
        along = (self.height(x, y + step) - here) / step
        slope = np.stack([-across, -along, np.ones_like(here)], axis=-1)
        normal: Array = slope / np.linalg.norm(slope, axis=-1, keepdims=True)
        return normal

    def depth(self, camera: Camera, farthest: float = 60000.0, steps: int = 1000) -> Array:
        """Forward distance of the ground at each pixel, metres, [H, W]; infinite in the sky.

        The sensor is upright, so a column of pixels sees one vertical plane: walk away from the
        camera in it and note where the ground first rises above each row.
        """
        y = np.geomspace(0.8, farthest, steps)[:, None]
        x = camera.rays()[0, :, 0] * y
        y = np.broadcast_to(y, x.shape)
        points = np.stack([x, y, self.height(x, y)], axis=-1).reshape(-1, 3)
        rows = camera.project(points)[1].reshape(x.shape)
        highest = np.minimum.accumulate(rows, axis=0)
        wanted = np.arange(camera.height) + 0.5
        depth = np.full((camera.height, camera.width), np.inf)
        for column in range(camera.width):
            first = np.searchsorted(-highest[:, column], -wanted)
            seen = first < steps
            after = first[seen]
            before = np.maximum(after - 1, 0)
            low, high = rows[before, column], rows[after, column]
            part = np.clip((low - wanted[seen]) / np.maximum(low - high, 1e-6), 0, 1)
            near, far = y[before, column], y[after, column]
            depth[seen, column] = near + part * (far - near)
        return depth
