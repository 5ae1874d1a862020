"""The stages of a job, in order, and what each is made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.matching.choice import Matching
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.resources.allocation import Allocation, Workers
from spadepis.pipeline.stages.assess import Assess
from spadepis.pipeline.stages.read import ReadScenes
from spadepis.pipeline.stages.region_guidance import RegionGuidance
from spadepis.pipeline.stages.smooth import Smooth
from spadepis.pipeline.stages.smooth_batches import SmoothBatches
from spadepis.pipeline.stages.stylize import Stylize
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.pipeline.stages.write import Write


@dataclass(frozen=True)
class Stage:
    """One stage of a job.

    Attributes:
        kind: the class; its instances are called with tables of scenes.
        arguments: of its constructor.
        workers: that run it.
    """

    kind: type
    arguments: dict[str, Any]
    workers: Workers


def assemble(
    config: JobConfig, allocation: Allocation, matching: Matching | None = None
) -> list[Stage]:
    """The stages of a job, from reading to writing.

    Args:
        config: of the job.
        allocation: their workers.
        matching: chooses the styles of scenes that have none yet.
    """
    job, networks = config.job, config.networks
    half = networks.precision == "half" or (
        networks.precision == "auto" and allocation.device == "cuda"
    )
    stages = [Stage(ReadScenes, _reading(config), allocation.read)]
    if job.synthesizes:
        synthesis = {
            "checkpoint": networks.spade_checkpoint,
            "label_space": config.label_space,
            "device": allocation.device,
            "half": half,
        }
        stages.append(Stage(Synthesize, synthesis, allocation.synthesize))
    if job.stylizes:
        stylization = {
            "checkpoint": networks.photowct_checkpoint,
            "device": allocation.device,
            "half": half,
            "longest_side": config.styles.longest_style_side,
            "max_pixels": config.inputs.max_pixels,
            "matching": matching,
            "guidance": _guidance(config),
            "strength": config.styles.style_strength,
        }
        stages.append(Stage(Stylize, stylization, allocation.stylize))
        if allocation.smoothing_device == "cpu":
            stages.append(Stage(Smooth, {}, allocation.smooth))
        else:
            device = {"device": allocation.smoothing_device}
            stages.append(Stage(SmoothBatches, device, allocation.smooth))
    if config.quality.quality:
        assessment = {
            "checkpoint": networks.photowct_checkpoint if job.stylizes else None,
            "max_pixels": config.inputs.max_pixels,
            "thresholds": config.quality.reject,
        }
        stages.append(Stage(Assess, assessment, allocation.assess))
    output = config.output
    writing = {
        "writer": ImageSetWriter(
            Folder(output.output),
            output.image_format,
            output.jpeg_quality,
            in_shards=output.output_format == "parquet",
        ),
        "label_space": config.label_space,
        "keep_contents": output.keep_contents and job.stylizes,
    }
    return [*stages, Stage(Write, writing, allocation.write)]


def _guidance(config: JobConfig) -> RegionGuidance | None:
    """How regions guide the styles, if they do."""
    region_labels = config.region_labels
    if region_labels is None:
        return None
    return RegionGuidance(
        config.label_space, region_labels, config.styles.region_guidance == "fallback"
    )


def _reading(config: JobConfig) -> dict[str, Any]:
    return {
        "label_space": config.label_space,
        "size": config.size,
        "longest_side": config.output.longest_side,
        "max_pixels": config.inputs.max_pixels,
    }
