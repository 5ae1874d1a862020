"""How long a job would take on a cluster, and how much it would write: ``spadepis plan``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spadepis.configuration import ConfigurationError, flag
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.planning.amounts import bytes_text, duration_text
from spadepis.pipeline.resources.allocation import ClusterSize, allocate
from spadepis.pipeline.resources.rates import Rate
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
        name: name of the stage.
        device: "cpu" or "cuda".
        workers: number of its workers.
        hours: hours that they take for the whole job. Each stage counts as if it had the GPU to
            itself.
        is_measured: whether its rate was measured or given, rather than computed.
    """

    name: str
    device: str
    workers: int
    hours: float
    is_measured: bool = True


@dataclass(frozen=True)
class Estimate:
    """How much a job would make, and how long it would take.

    Attributes:
        scenes: number of label maps.
        pairs: number of pairs of a label map and a style.
        bytes_out: size of results, contents and label maps.
        stages: the stages that were estimated, in order.
        hours: duration of the whole job without its start, reading and writing.
        bottleneck: a stage, or "GPUs" or "CPUs" where stages share them.
    """

    scenes: int
    pairs: int
    bytes_out: int
    stages: Sequence[StageEstimate]
    hours: float
    bottleneck: str


def bytes_of_set(scenes: int, pairs: int, size: tuple[int, int], contents: bool) -> int:
    """About how many bytes the images of a set have, whose results have this height and width."""
    measured = scenes * (MASK_BYTES + contents * CONTENT_BYTES) + pairs * RESULT_BYTES
    return round(measured * size[0] * size[1] / MEASURED_PIXELS)


def count_masks(masks: str) -> int:
    """The number of label maps at a URI; none is opened.

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
    gpu_rates: Mapping[Declaration, Rate],
) -> Estimate:
    """Estimate a job that synthesizes and stylizes, with the workers that it would have.

    Args:
        scenes: number of label maps.
        styles: number of styles of each label map.
        cluster: size of the whole cluster.
        cpu_rates: scenes (of synthesis) or results (of other stages) a second on one CPU core.
        gpu_rates: the same on a whole GPU, for the stages that the job would put there.

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
        flags = ", ".join(missing)
        raise ConfigurationError(f"no rates of GPUs are known: give --gpu-type, or {flags}")
    stages = []
    for stage, count in items.items():
        device = workers[stage].device
        rate = gpu_rates[stage] if device == "cuda" else Rate(cpu_rates[stage], is_measured=True)
        hours = count / rate.value / workers[stage].count / SECONDS_PER_HOUR
        workers_of_stage = workers[stage].count
        stages.append(StageEstimate(stage.name, device, workers_of_stage, hours, rate.is_measured))
    bottleneck, hours = _bottleneck(stages, cluster)
    bytes_out = bytes_of_set(scenes, scenes * styles, (256, 256), contents=True)
    return Estimate(scenes, scenes * styles, bytes_out, stages, hours, bottleneck)


def _bottleneck(stages: Sequence[StageEstimate], cluster: ClusterSize) -> tuple[str, float]:
    """What takes the longest, and its hours."""
    # The stages on a GPU share a worker.
    on_gpus = [stage.hours for stage in stages if stage.device == "cuda"]
    core_hours = [stage.hours * stage.workers for stage in stages if stage.device == "cpu"]
    hours = {stage.name: stage.hours for stage in stages}
    if len(on_gpus) > 1:
        hours["GPUs"] = sum(on_gpus)
    # So do workers on CPUs if there are more workers than CPUs.
    if sum(stage.workers for stage in stages if stage.device == "cpu") > cluster.cpus:
        hours["CPUs"] = sum(core_hours) / cluster.cpus
    slowest = max(hours, key=lambda name: hours[name])
    return slowest, hours[slowest]


def estimate_text(estimate: Estimate) -> str:
    """The estimate for people."""
    lines = [
        f"pairs    {estimate.pairs:,} of {estimate.scenes:,} label maps",
        f"written  about {bytes_text(estimate.bytes_out)}, at 256x256",
        "",
        f"{'stage':<12}{'workers':>8}{'on':>6}{'time':>10}",
    ]
    for stage in estimate.stages:
        on = "GPU" if stage.device == "cuda" else "CPU"
        time = duration_text(stage.hours * SECONDS_PER_HOUR)
        origin = "" if stage.is_measured else "  computed, not measured"
        lines.append(f"{stage.name:<12}{stage.workers:>8}{on:>6}{time:>10}{origin}")
    time = duration_text(estimate.hours * SECONDS_PER_HOUR)
    lines.append(f"{'whole job':<26}{time:>10}  bottleneck: {estimate.bottleneck}")
    return "\n".join(lines)
