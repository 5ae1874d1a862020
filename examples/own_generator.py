"""A generator of your own in place of SPADE: ``own_generator.py --masks FOLDER --output FOLDER``.

It takes all settings of ``jobs/synthesize.py``, and label maps of any label space. This one paints
each class in its colour and adds grain; put the call of your model, such as a diffusion model with
a label map as its condition, into ``paint``. To repair a set that it made, run it with
``--repair``: ``spadepis repair`` does not know your stage.
"""

from __future__ import annotations

import sys
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spadepis.cli.main import run_job
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.stages.stage import StageSpec


class Painter:
    """Fills in the content of each scene. A worker makes it once, and may load a model then."""

    # Its name says which stage it replaces. If it can run on GPUs, add "cuda" to the devices and
    # ``device: str`` to the arguments of the constructor: it is then told "cpu" or "cuda".
    declaration: ClassVar = Declaration("synthesize", devices=("cpu",), per_result=False)

    def __init__(self, grain: float) -> None:
        self.grain = grain

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        """Paint the scenes that have not failed; an exception costs the scene that raised it."""
        for scene in scenes:
            if scene.is_waiting and scene.label_map is not None:
                with scene.timed("synthesize"):
                    scene.content = self.paint(scene.label_map)
        return scenes

    def paint(self, label_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A photo, uint8 [H,W,3], of class indices, uint8 [H,W]."""
        noise = np.random.default_rng(0).normal(0, self.grain, (*label_map.shape, 1))
        return (COCO_STUFF.colourize(label_map) + noise).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    # The class and its arguments become part of what the image set says about itself.
    painter = StageSpec(Painter, {"grain": 12.0})
    sys.exit(run_job(Job.SYNTHESIZE, sys.argv[1:], own_stages=[painter]))
