"""Passes over inputs before the job itself, on all CPUs of the cluster."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import ray

from spadepis.dataset.inputs.conventions import LabelConventions
from spadepis.matching.descriptors import Descriptor
from spadepis.matching.matching import Matching
from spadepis.pipeline.assembly import match_styles
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.class_survey import Classes
from spadepis.pipeline.planning.inputs import Inputs
from spadepis.pipeline.ray.actors import hosting
from spadepis.pipeline.ray.cluster import errors_of_workers
from spadepis.pipeline.ray.rows import to_blocks
from spadepis.pipeline.ray.streaming import results_of, stream
from spadepis.pipeline.resources.allocation import Workers
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.find_classes import FindClasses
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.workers.pool import Pool

log = logging.getLogger(__name__)

LABEL_MAPS_IN_BLOCK = 256
STYLES_IN_BLOCK = 64


def survey_classes(config: JobConfig, inputs: Inputs, conventions: LabelConventions) -> Classes:
    """Find the classes of all label maps."""
    sources = inputs.mask_sources
    log.info("reading the classes of %d label maps", len(sources))
    label_maps = [Scene(id, [Style(None, None)], source) for id, source in sources.items()]
    arguments = {
        "label_space": config.label_space,
        "max_pixels": config.inputs.max_pixels,
        "conventions": conventions,
    }
    stage = StageSpec(FindClasses, arguments)
    return dict(on_all_cpus(label_maps, stage, LABEL_MAPS_IN_BLOCK, config))


def describe_styles(
    config: JobConfig, inputs: Inputs, conventions: LabelConventions
) -> Matching | None:
    """Describe all styles if they are to be matched to scenes; see ``match_styles``."""

    def describe(stage: StageSpec, styles: list[Scene]) -> list[tuple[str, Descriptor | None]]:
        kind = "classes" if stage.arguments["checkpoint"] is None else "features"
        log.info("describing %d styles by their %s", len(styles), kind)
        return on_all_cpus(styles, stage, STYLES_IN_BLOCK, config)

    styles = [inputs.style(id) for id in inputs.style_ids]
    return match_styles(config, styles, describe, conventions)


def on_all_cpus(
    files: Sequence[Scene], stage: StageSpec, files_in_block: int, config: JobConfig
) -> list[Any]:
    """Send files block by block through workers on all CPUs of the cluster.

    Args:
        files: one at least.
        stage: what the workers do with them.
        files_in_block: number of files in a block.
        config: the configuration, which says how storage is reached and when a worker has stalled.

    Returns:
        What the stage returned, in any order.
    """
    blocks = to_blocks(files, files_in_block)
    cpus = int(ray.cluster_resources().get("CPU", 1))
    # One CPU is left to what feeds them.
    workers = Workers(min(len(blocks), max(1, cpus - 1)), cpus=1)
    pool = Pool([stage], workers)
    actors = hosting(pool, 60 * config.machines.stall_minutes, measured=False)
    results = stream(blocks, [actors], config.storage_environment, elastic=False)
    with errors_of_workers():
        return list(results_of(results))
