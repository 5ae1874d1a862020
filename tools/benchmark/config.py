"""Settings of the benchmark."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spadepis.configuration import Configuration
from spadepis.labels import LabelSpace
from spadepis.labels.custom import LABEL_SPACE_CHOICES, LabelSpaceSetting, find_label_space

INPUTS = files("spadepis") / "demo" / "inputs"
# A GPU is kept busy by a batch; a CPU works on one image at a time.
IMAGES = {"cpu": 2, "cuda": 16}

Stage = Literal["synthesis", "stylization", "smoothing", "chain", "job"]


class BenchmarkConfig(Configuration):
    """Measure the throughput of each stage beside its textbook form."""

    program: ClassVar[str | None] = "python -m tools.benchmark"

    stages: tuple[Stage, ...] = ("synthesis", "stylization", "smoothing", "chain")
    """Stages to measure; "job" is a whole job on Ray, with the largest number of styles."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of the networks; with cuda, smoothing runs there as well."""
    sizes: tuple[Annotated[int, Field(ge=32, multiple_of=32)], ...] = (256, 512)
    """Sides of the square images in pixels: --sizes 256,512."""
    styles: tuple[Annotated[int, Field(ge=1)], ...] = (1, 4, 16)
    """Numbers of styles for each label map: --styles 1,4,16."""
    images: int | None = Field(default=None, ge=1)
    """Label maps in each run. Default: 2 on a CPU, 16 on a GPU."""
    job_scenes: int = Field(default=64, ge=4)
    """Label maps in the job on Ray."""
    repeats: int = Field(default=3, ge=1)
    """Timed runs of each form, in turns; the median is reported."""
    longest: float = Field(default=20, ge=0)
    """Seconds; a form whose first run takes longer is not run again."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of PyTorch. The default is one, as in the pipeline's workers; smoothing on the
    CPU always uses one."""
    precision: Literal["float32", "half"] = "float32"
    """Precision of the networks in the fast forms; the textbook forms compute in float32."""
    plain_keeps_memory: bool = False
    """Let the textbook forms keep freed memory too, as the pipeline's workers do."""
    output: str | None = None
    """JSON file to write the results to."""
    masks: str = str(INPUTS / "masks")
    """Folder or glob of label maps. Default: the layouts that come with spadepis."""
    instances: str | None = None
    """Folder or glob of instance maps. Default: those of the layouts that come with spadepis."""
    label_space: LabelSpaceSetting = Field(
        default="coco-stuff",
        description=f"What the values of the label maps mean: {LABEL_SPACE_CHOICES}.",
    )
    photos: str = str(INPUTS / "styles")
    """Folder or glob of photos, which serve as styles and as contents that are not synthesized."""
    spade_checkpoint: str | None = None
    """Default: random weights of the published widths."""
    photowct_checkpoint: str | None = None
    """Default: random weights of the published widths."""
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
