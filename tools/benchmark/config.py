"""Settings of the benchmark."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field

from spadepis.configuration import Configuration
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LabelSpaceSetting, find_label_space

INPUTS = files("spadepis") / "demo" / "inputs"
# A GPU is kept busy by a batch; a CPU works on one image at a time.
IMAGES = {"cpu": 2, "cuda": 16}

Stage = Literal["synthesis", "stylization", "smoothing", "chain", "job"]


class BenchmarkConfig(Configuration):
    """Settings of tools/benchmark."""

    stages: tuple[Stage, ...] = ("synthesis", "stylization", "smoothing", "chain")
    """What to measure. "job" is a whole job by Ray, with the largest number of styles."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of the networks; with cuda, smoothing runs there as well."""
    sizes: tuple[Annotated[int, Field(ge=32, multiple_of=32)], ...] = (256, 512)
    """Sides of the images in pixels: --sizes 256,512."""
    styles: tuple[Annotated[int, Field(ge=1)], ...] = (1, 4, 16)
    """Styles of a label map: --styles 1,4,16."""
    images: int | None = Field(default=None, ge=1)
    """Label maps in each run. Default: 2 on a CPU, 16 on a GPU."""
    job_scenes: int = Field(default=64, ge=4)
    """Label maps of the job by Ray."""
    repeats: int = Field(default=3, ge=1)
    """Timed runs of each form, in turns; the result is their median."""
    longest: float = Field(default=20, ge=0)
    """A form whose first run takes more seconds than this is not repeated."""
    threads: int = Field(default=1, ge=1)
    """Threads of PyTorch on the CPU. Default: one, as in the workers of a job. Smoothing on the CPU
    always uses one."""
    precision: Literal["float32", "half"] = "float32"
    """Precision of the networks in the fast forms; the plain forms compute in float32."""
    plain_keeps_memory: bool = False
    """Let the plain forms keep freed memory too, as the workers of a job do."""
    output: str | None = None
    """JSON file for the results."""
    masks: str = str(INPUTS / "masks")
    """Folder or glob of label maps. Default: the drawn ones that ship with spadepis."""
    instances: str | None = None
    """Folder or glob of their instance maps. Default: those of the drawn label maps, else none."""
    label_space: LabelSpaceSetting = "coco-stuff"
    """What the values of the label maps mean: coco-stuff, ade20k, cityscapes, or the YAML file of
    a label space of your own."""
    photos: str = str(INPUTS / "styles")
    """Folder or glob of photos, which serve as styles and as contents that are not synthesized."""
    spade_checkpoint: str | None = None
    """Weights of the SPADE generator. Default: random ones of the published widths."""
    photowct_checkpoint: str | None = None
    """Weights of PhotoWCT. Default: random ones of the published widths."""
    seed: int = 0
    """Seed of the random weights."""

    @property
    def space(self) -> LabelSpace:
        """The label space of that name or file."""
        return find_label_space(self.label_space)

    @property
    def images_in_a_repeat(self) -> int:
        """The setting ``images``, or its default for the device."""
        return self.images or IMAGES[self.device]

    @property
    def instance_maps(self) -> str | None:
        """The setting ``instances``, or its default for the label maps."""
        if self.instances is None and self.masks == str(INPUTS / "masks"):
            return str(INPUTS / "instances")
        return self.instances
