"""A stage that smooths one block, and the others when it may go on."""

import os
from pathlib import Path
from time import sleep
from typing import ClassVar

from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.smooth import Smooth

# Path of a file at whose coming the stage goes on.
GO_ON = "GO_ON"
POLL_SECONDS = 0.05


class HeldSmooth:
    """Smooths one block, and the others when it may go on."""

    declaration: ClassVar = Smooth.declaration

    def __init__(self) -> None:
        self._smooth = Smooth()
        self._free = True

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        while not self._free and not Path(os.environ[GO_ON]).exists():
            sleep(POLL_SECONDS)
        self._free = False
        return self._smooth(scenes)
