"""How long a job would take on a cluster, and how much it would write: ``spadepis plan``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spadepis.configuration import ConfigurationError, flag
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.resources.allocation import ClusterSize, Workers, allocate

# A second on one CPU core, 256x256, published widths, K = 4 (docs/benchmarks.md); scenes of
# synthesis, else results. The figures of quality were timed on a core that others used as well.
CPU_RATES: Mapping[str, float] = {
    "synthesize": 1.68,
    "stylize": 3.08,
    "smooth": 17.8,
    "assess": 19.0,
}
# Means of the demonstration's image set: 256x256, JPEG of quality 95, label maps in PNG.
RESULT_BYTES = 24_613
CONTENT_BYTES = 27_433
MASK_BYTES = 2_726
SECONDS_PER_HOUR = 3600.0
# The flag of a stage's rate has the setting's name.
RATE_SETTINGS: Mapping[str, str] = {
    "synthesize": "synthesis_rate",
    "stylize": "stylization_rate",
    "smooth": "smoothing_rate",
    "assess": "quality_rate",
}
# The others stay on CPUs.
GPU_STAGES = ("synthesize", "stylize", "smooth")


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
    cpu_rates: Mapping[str, float],
    gpu_rates: Mapping[str, float],
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
    items = {stage: scenes * styles for stage in cpu_rates} | {"synthesize": scenes}
    seconds = {stage: items[stage] / scenes / cpu_rates[stage] for stage in items}
    allocation = allocate(MachineSettings(), cluster, scenes, seconds)
    workers: Mapping[str, Workers] = {
        "synthesize": allocation.synthesize,
        "stylize": allocation.stylize,
        "smooth": allocation.smooth,
        "assess": allocation.assess,
    }
    on_gpu = [stage for stage in items if workers[stage].gpus]
    missing = [stage for stage in on_gpu if stage not in gpu_rates]
    if missing:
        flags = ", ".join(flag(f"gpu_{RATE_SETTINGS[stage]}") for stage in missing)
        raise ConfigurationError(f"nothing is known of your GPUs: give {flags}")
    rates = {stage: (gpu_rates if stage in on_gpu else cpu_rates)[stage] for stage in items}
    stages = [
        StageEstimate(
            stage,
            "cuda" if stage in on_gpu else "cpu",
            workers[stage].count,
            items[stage] / rates[stage] / workers[stage].count / SECONDS_PER_HOUR,
        )
        for stage in items
    ]
    bound, hours = _bound(stages, cluster)
    bytes_out = scenes * (CONTENT_BYTES + MASK_BYTES + styles * RESULT_BYTES)
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
    lines.append(f"{'total':<12}{'':>14}{estimate.hours:>10.2f}  bound by {estimate.bound}")
    return "\n".join(lines)
