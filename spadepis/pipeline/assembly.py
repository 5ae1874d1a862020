"""The stages of a job, in order, and what each is made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.matching.choice import Matching
from spadepis.pipeline.config.settings import Job, JobConfig
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
    job: Job, config: JobConfig, allocation: Allocation, matching: Matching | None = None
) -> list[Stage]:
    """The stages of a job, from reading to writing.

    Args:
        job: has the stages.
        config: their settings.
        allocation: their workers.
        matching: chooses the styles of scenes that have none yet.
    """
    stages = [Stage(ReadScenes, _reading(job, config), allocation.read)]
    if job.synthesizes:
        synthesis = {
            "checkpoint": config.spade_checkpoint,
            "label_space": config.space,
            "device": allocation.device,
            "half": allocation.half,
        }
        stages.append(Stage(Synthesize, synthesis, allocation.synthesize))
    if job.stylizes:
        stylization = {
            "checkpoint": config.photowct_checkpoint,
            "device": allocation.device,
            "half": allocation.half,
            "longest_side": config.longest_style_side,
            "max_pixels": config.max_pixels,
            "matching": matching,
            "guidance": _guidance(config),
            "strength": config.style_strength,
        }
        stages.append(Stage(Stylize, stylization, allocation.stylize))
        if allocation.smoothing_device == "cpu":
            stages.append(Stage(Smooth, {}, allocation.smooth))
        else:
            device = {"device": allocation.smoothing_device}
            stages.append(Stage(SmoothBatches, device, allocation.smooth))
    if config.quality:
        assessment = {
            "checkpoint": config.photowct_checkpoint if job.stylizes else None,
            "max_pixels": config.max_pixels,
            "thresholds": config.reject,
        }
        stages.append(Stage(Assess, assessment, allocation.assess))
    writing = {
        "writer": ImageSetWriter(
            Folder(config.output),
            config.image_format,
            config.jpeg_quality,
            in_shards=config.output_format == "parquet",
        ),
        "label_space": config.space,
        "keep_contents": config.keep_contents and job.stylizes,
    }
    return [*stages, Stage(Write, writing, allocation.write)]


def _guidance(config: JobConfig) -> RegionGuidance | None:
    """How regions guide the styles, if they do."""
    region_labels = config.region_labels
    if region_labels is None:
        return None
    return RegionGuidance(config.space, region_labels, config.region_guidance == "fallback")


def _reading(job: Job, config: JobConfig) -> dict[str, Any]:
    width_and_height = config.width_and_height
    size = width_and_height and width_and_height[::-1]
    if job.synthesizes:
        size = size or config.space.size
    return {
        "label_space": config.space,
        "size": size,
        "longest_side": config.longest_side,
        "max_pixels": config.max_pixels,
    }
