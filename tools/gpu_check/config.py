"""Settings of the check of a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field

from spadepis.configuration import Configuration, LocalPath

Part = Literal["golden", "smoothing", "stylization", "synthesis", "assessment", "memory", "job"]


class GpuCheckConfig(Configuration):
    """Check a GPU: published outputs in every precision, determinism, rates and memory.

    On a CPU the same check runs in a reduced form.
    """

    program: ClassVar[str | None] = "python -m tools.gpu_check"

    device: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
    """Device to check. Default: cuda if PyTorch finds a GPU, else cpu."""
    parts: tuple[Part, ...] = (
        "golden",
        "smoothing",
        "stylization",
        "synthesis",
        "assessment",
        "memory",
        "job",
    )
    """Parts of the check, in this order: --parts golden,memory."""
    golden: Path | None = None
    """Folder of the published outputs, spade_coco_dev.npz, wct_dev.npz and smooth_dev.npz. Without
    it they are not checked."""
    label_map: Path | None = None
    """COCO-Stuff label map that the published output of SPADE belongs to."""
    instance_map: Path | None = None
    """Instance map that the published output of SPADE belongs to."""
    seconds: float = Field(default=330, gt=0)
    """No measurement starts later than this many seconds after the start."""
    output: LocalPath = Path("gpu_check.json")
    """JSON file for the results."""

    @property
    def is_reduced(self) -> bool:
        """Whether only the smallest sizes are run, each once, to see that everything works."""
        return self.device == "cpu"
