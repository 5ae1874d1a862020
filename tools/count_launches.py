"""How often each stage would make a GPU start something, and the host wait for it.

``python -m tools.count_launches`` counts on a pretended GPU, on any machine: see
``tools.pretended_gpu``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from unittest.mock import patch

import torch
from pydantic import Field
from torch import Tensor

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINT
from spadepis.cli.exit_status import exit_status
from spadepis.configuration import Configuration, parse_settings
from spadepis.labels import COCO_STUFF
from spadepis.photowct import PhotoWCT
from spadepis.pipeline.stages.assess_batches import AssessBatches
from spadepis.pipeline.stages.stylize import half_precision
from spadepis.smoothing import ConvergenceError, smooth_batch
from spadepis.smoothing.torch_affinity import smoothing_stencil, sparse_matrix
from spadepis.smoothing.torch_solver import conjugate_gradients
from spadepis.spade import SpadeGenerator
from tools.benchmark.assessment import finished_scenes
from tools.benchmark.config import BenchmarkConfig
from tools.benchmark.inputs import MAX_PIXELS, Inputs, read_inputs
from tools.benchmark.plain_smoothing import BETA, EPSILON
from tools.benchmark.smoothing import smoothing_system
from tools.benchmark.stylization import as_tensor
from tools.pretended_gpu import Counts, PretendedGpu

HEADER = (
    "stage",
    "launches",
    "host synchronisations",
    "blocking uploads",
    "float64",
    "wrong device",
    "MB",
)
# Iterations of two solves. The difference between them is iterations alone.
FEW, MANY = 16, 32
# Side of the image that Triton's kernels are counted with: they are interpreted, which is slow.
CROP = 6
# Styles of each scene, where scenes are stylized together.
STYLES_IN_BATCH = 4
# Rows and columns of the region map that guides a scene.
REGIONS = 2


class LaunchesConfig(Configuration):
    """Count what each stage makes a GPU start, and what the host waits for."""

    program: ClassVar[str | None] = "python -m tools.count_launches"

    size: int = Field(default=256, ge=32, multiple_of=32)
    """Side of the images in pixels."""
    batches: tuple[Annotated[int, Field(ge=1)], ...] = (2, 16)
    """Label maps in a batch of SPADE: --batches 2,16."""
    styles: tuple[Annotated[int, Field(ge=1)], ...] = (1, 4, 16)
    """Styles of a scene in PhotoWCT: --styles 1,4,16."""
    precision: Literal["half", "float32"] = "half"
    """Precision of the networks."""
    places: int = Field(default=0, ge=0)
    """Lines of the source to list for each stage: those with the most launches."""
    spade_checkpoint: str = DEFAULT_SPADE_CHECKPOINT
    """SPADE for COCO-Stuff. Default: the model that comes with spadepis."""
    photowct_checkpoint: str = DEFAULT_PHOTOWCT_CHECKPOINT
    """Default: the model that comes with spadepis."""
    output: Path | None = None
    """JSON file for the counts."""


@dataclass(frozen=True)
class Stage:
    """One row of the table.

    Attributes:
        name: what was run.
        counts: all of it together.
        parts: what the counts are divided by: 1, or the iterations of a solver.
    """

    name: str
    counts: Counts
    parts: int = 1

    def totals(self) -> dict[str, float]:
        """The columns of the table after the first, by name."""
        counts = self.counts
        counters = (
            counts.launches,
            counts.synchronisations,
            counts.uploads,
            counts.float64,
            counts.wrong_device,
            counts.bytes,
        )
        totals = {
            name: counter.total() / self.parts
            for name, counter in zip(HEADER[1:], counters, strict=True)
        }
        return totals | {"MB": totals["MB"] / 1e6}


@torch.no_grad()
def count_launches(config: LaunchesConfig) -> Iterator[Stage]:
    """Run each stage on a pretended GPU and count.

    Raises:
        CheckpointError: a checkpoint that cannot be used.
    """
    count = max(config.batches)
    inputs = read_inputs(BenchmarkConfig(images=count), config.size, max(config.styles))
    yield from _synthesis(config, inputs)
    yield from _stylization(config, inputs)
    yield from _smoothing(inputs)
    yield _assessment(config, inputs)


def _synthesis(config: LaunchesConfig, inputs: Inputs) -> Iterator[Stage]:
    dtype = torch.bfloat16 if config.precision == "half" else torch.float32
    assert inputs.edges is not None
    with PretendedGpu() as gpu:
        generator = SpadeGenerator.from_checkpoint(
            config.spade_checkpoint, COCO_STUFF, "cuda", dtype
        )
        # The first call folds the weights.
        generator(inputs.labels[:1], inputs.edges[:1])
        for batch in config.batches:
            gpu.restart()
            generator(inputs.labels[:batch], inputs.edges[:batch]).cpu()
            yield Stage(f"SPADE, batch of {batch}", gpu.restart())


def _stylization(config: LaunchesConfig, inputs: Inputs) -> Iterator[Stage]:
    with PretendedGpu() as gpu:
        network = PhotoWCT.from_checkpoint(config.photowct_checkpoint, "cuda")
        if config.precision == "half":
            network.reduce_precision(half_precision("cuda"))
        contents = as_tensor(inputs.contents, "cuda")
        photos = list(as_tensor(inputs.styles, "cuda"))
        rows, columns = (torch.arange(config.size) * REGIONS // config.size for _ in range(2))
        regions = REGIONS * rows[:, None] + columns
        # The first call folds the weights.
        network.stylize(contents[0], [network.encode_style(photos[0])])

        gpu.restart()
        styles = network.encode_styles(photos)
        yield Stage(f"PhotoWCT, a style of {len(photos)} together", gpu.restart(), len(photos))
        network.encode_style(photos[0])
        yield Stage("PhotoWCT, a style alone", gpu.restart())
        guided = [network.encode_style(photo, regions) for photo in photos]
        for name, of_styles, maps in (
            ("", styles, None),
            (f", {REGIONS**2} regions", guided, regions),
        ):
            for count in config.styles:
                gpu.restart()
                network.stylize(contents[0], of_styles[:count], maps)
                yield Stage(f"PhotoWCT, K = {count}{name}", gpu.restart())
            batch, count = max(config.batches), min(config.styles[-1], STYLES_IN_BATCH)
            all_maps = None if maps is None else maps.expand(batch, -1, -1)
            network.stylize_batch(contents[:batch], [of_styles[:count]] * batch, all_maps)
            scenes = f"PhotoWCT, K = {count}{name}, a scene of {batch} together"
            yield Stage(scenes, gpu.restart(), batch)


def _smoothing(inputs: Inputs) -> Iterator[Stage]:
    with PretendedGpu() as gpu:
        contents = torch.from_numpy(inputs.contents[:1]).to("cuda")
        stylized = torch.from_numpy(inputs.stylized()[:1]).to("cuda")
        levels = stylized.mul(255).byte()
        gpu.restart()
        smooth_batch(contents, levels).cpu()
        yield Stage("smoothing by PyTorch, a batch", gpu.restart())
        guides = contents.double() / 255
        gpu.restart()
        sparse_matrix(smoothing_stencil(guides, BETA, EPSILON), guides.shape[2])
        yield Stage("smoothing by PyTorch, assembly", gpu.restart())
        stencil, width, *vectors = smoothing_system(contents, stylized)
        matrix = sparse_matrix(stencil, width)
        b, start = (vector.mT.contiguous() for vector in vectors)
        yield _iteration(
            gpu, "smoothing by PyTorch", partial(conjugate_gradients, matrix, b, start)
        )
        if find_spec("triton") is not None:
            crop = contents[:, :CROP, :CROP], stylized[:, :1, :CROP, :CROP]
            yield from _smoothing_by_triton(gpu, *crop)


def _smoothing_by_triton(gpu: PretendedGpu, contents: Tensor, stylized: Tensor) -> Iterator[Stage]:
    """The launches are those of any batch and size; a black photo is solved from the start."""
    # Not at the top: only where Triton is interpreted can its kernels be called without a GPU.
    from spadepis.smoothing import triton_solver

    black = torch.zeros_like(stylized, dtype=torch.uint8)
    gpu.restart()
    with patch("spadepis.smoothing.torch_solver.runs_triton", lambda _: True):
        smooth_batch(contents, black).cpu()
    yield Stage("smoothing by Triton, a batch of black photos", gpu.restart())
    system = smoothing_system(contents, stylized)
    yield _iteration(
        gpu, "smoothing by Triton", partial(triton_solver.conjugate_gradients, *system)
    )


def _assessment(config: LaunchesConfig, inputs: Inputs) -> Stage:
    folder = BenchmarkConfig().photos
    scenes = finished_scenes(replace(inputs, styles=inputs.styles[:STYLES_IN_BATCH]), folder)
    with PretendedGpu() as gpu:
        assess = AssessBatches(config.photowct_checkpoint, MAX_PIXELS, device="cuda")
        # The first call reads the styles.
        assess([scenes[0].copy()])
        gpu.restart()
        assess(scenes)
        results = sum(len(scene.results) for scene in scenes)
        return Stage(f"quality metrics, each of {results} results together", gpu.restart(), results)


def _iteration(gpu: PretendedGpu, name: str, solve: Callable[..., object]) -> Stage:
    """What an iteration adds to a solve that does not get to its tolerance, 0."""
    solves = []
    for iterations in (FEW, MANY):
        gpu.restart()
        with suppress(ConvergenceError):
            solve(tolerance=0.0, max_iterations=iterations)
        solves.append(gpu.restart())
    few, many = solves
    return Stage(f"{name}, an iteration", _difference(many, few), MANY - FEW)


def _difference(many: Counts, few: Counts) -> Counts:
    return Counts(*(getattr(many, name) - getattr(few, name) for name in vars(many)))


def markdown(stages: Sequence[Stage]) -> str:
    """The counts as a Markdown table."""
    lines = [HEADER, ("---",) + ("---:",) * (len(HEADER) - 1)]
    lines += [(s.name, *(f"{total:.4g}" for total in s.totals().values())) for s in stages]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def busiest_places(stage: Stage, most: int) -> str:
    """The lines of the source that launch the most, a line each."""
    places = stage.counts.launches.most_common(most)
    return "\n".join([f"{stage.name}:", *(f"{count:8} {place}" for place, count in places)])


def run(arguments: Sequence[str]) -> int:
    """Parse the flags, count, print the table, and return the exit status."""

    def work() -> int:
        config = parse_settings(LaunchesConfig, arguments)
        stages = list(count_launches(config))
        print(markdown(stages))
        if config.places:
            print("", *(busiest_places(stage, config.places) for stage in stages), sep="\n")
        if config.output is not None:
            report = {stage.name: stage.totals() for stage in stages}
            config.output.write_text(json.dumps(report, indent=1) + "\n")
        return 0

    return exit_status(work)


if __name__ == "__main__":
    if os.environ.get("TRITON_INTERPRET") != "1":
        # Triton reads it where a kernel is defined, and some were defined by the imports above.
        os.environ["TRITON_INTERPRET"] = "1"
        os.execv(sys.executable, [sys.executable, "-m", "tools.count_launches", *sys.argv[1:]])
    sys.exit(run(sys.argv[1:]))
