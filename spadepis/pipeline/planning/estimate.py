"""How long a job would take on a cluster, and how much it would write: ``spadepis plan``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spadepis.configuration import ConfigurationError, flag
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.resources.allocation import ClusterSize, allocate
from spadepis.pipeline.stages.declarations import ASSESS, SMOOTH, STYLIZE, SYNTHESIZE, Declaration

# The stages of synthesizing and stylizing that take time.
PLANNED = (SYNTHESIZE, STYLIZE, SMOOTH, ASSESS)
# Means of the demonstration's image set: 256x256, JPEG of quality 95, label maps in PNG.
MEASURED_PIXELS = 256 * 256
RESULT_BYTES = 24_613
CONTENT_BYTES = 27_433
MASK_BYTES = 2_726
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class StageEstimate:
    """A stage, with all its workers busy.

    Attributes:
        name: of the stage.
        device: "cpu" or "cuda".
        workers: how many.
        hours: that they take for the whole job, a GPU's stages as if each had it alone.
    """

    name: str
    device: str
    workers: int
    hours: float


@dataclass(frozen=True)
class Estimate:
    """What a job would make and take.

    Attributes:
        scenes: label maps.
        pairs: of a label map and a style.
        bytes_out: of results, contents and label maps.
        stages: those that were estimated, in order.
        hours: of the whole job, reading, writing and the start left out.
        bound: what takes that long: a stage, or "GPUs" or "CPUs" where stages share them.
    """

    scenes: int
    pairs: int
    bytes_out: int
    stages: Sequence[StageEstimate]
    hours: float
    bound: str


def bytes_of_set(scenes: int, pairs: int, size: tuple[int, int], contents: bool) -> int:
    """About how large the images of a set are.

    Args:
        scenes: number of label maps.
        pairs: number of results.
        size: height and width of the results, in pixels.
        contents: whether the photos before stylization are kept.
    """
    measured = scenes * (MASK_BYTES + contents * CONTENT_BYTES) + pairs * RESULT_BYTES
    return round(measured * size[0] * size[1] / MEASURED_PIXELS)


def count_masks(masks: str) -> int:
    """How many label maps there are at a URI; none is opened.

    Raises:
        ConfigurationError: there are none, or they cannot be listed.
    """
    try:
        return len(list_images(masks).images)
    except SourceError as error:
        raise ConfigurationError(str(error)) from error


def estimate(
    scenes: int,
    styles: int,
    cluster: ClusterSize,
    cpu_rates: Mapping[Declaration, float],
    gpu_rates: Mapping[Declaration, float],
) -> Estimate:
    """What synthesizing and stylizing would take, with the workers that the job would have.

    Args:
        scenes: label maps.
        styles: of each.
        cluster: all of it.
        cpu_rates: a second on one CPU core, by stage: scenes of synthesis, else results.
        gpu_rates: likewise on a whole GPU; needed of the stages that the job would put there.

    Raises:
        ConfigurationError: a rate that is needed is missing.
    """
    items = {stage: scenes * styles if stage.per_result else scenes for stage in cpu_rates}
    seconds = {stage: items[stage] / scenes / cpu_rates[stage] for stage in items}
    workers = allocate(MachineSettings(), cluster, scenes, seconds)
    missing = [
        flag(f"gpu_{stage.rate_setting}")
        for stage in items
        if workers[stage].device == "cuda" and stage not in gpu_rates
    ]
    if missing:
        raise ConfigurationError(f"no rates of GPUs are known: give {', '.join(missing)}")
    stages = []
    for stage, count in items.items():
        device = workers[stage].device
        rate = (gpu_rates if device == "cuda" else cpu_rates)[stage]
        hours = count / rate / workers[stage].count / SECONDS_PER_HOUR
        stages.append(StageEstimate(stage.name, device, workers[stage].count, hours))
    bound, hours = _bound(stages, cluster)
    bytes_out = bytes_of_set(scenes, scenes * styles, (256, 256), contents=True)
    return Estimate(scenes, scenes * styles, bytes_out, stages, hours, bound)


def _bound(stages: Sequence[StageEstimate], cluster: ClusterSize) -> tuple[str, float]:
    """What takes the longest, and its hours."""
    # Each stage of a GPU has a worker on it; they take turns.
    on_gpus = [stage.hours for stage in stages if stage.device == "cuda"]
    core_hours = [stage.hours * stage.workers for stage in stages if stage.device == "cpu"]
    hours = {stage.name: stage.hours for stage in stages}
    if len(on_gpus) > 1:
        hours["GPUs"] = sum(on_gpus)
    # More workers than CPUs take turns as well.
    if sum(stage.workers for stage in stages if stage.device == "cpu") > cluster.cpus:
        hours["CPUs"] = sum(core_hours) / cluster.cpus
    bound = max(hours, key=lambda name: hours[name])
    return bound, hours[bound]


def estimate_text(estimate: Estimate) -> str:
    """The estimate for people."""
    lines = [
        f"pairs      {estimate.pairs:,} of {estimate.scenes:,} label maps",
        f"bytes out  {estimate.bytes_out:,} ({estimate.bytes_out / 1e9:.1f} GB), at 256x256",
        "",
        f"{'stage':<12}{'workers':>8}{'on':>6}{'hours':>10}",
    ]
    for stage in estimate.stages:
        on = "GPU" if stage.device == "cuda" else "CPU"
        lines.append(f"{stage.name:<12}{stage.workers:>8}{on:>6}{stage.hours:>10.2f}")
    lines.append(f"{'total':<12}{'':>14}{estimate.hours:>10.2f}  bottleneck: {estimate.bound}")
    return "\n".join(lines)
