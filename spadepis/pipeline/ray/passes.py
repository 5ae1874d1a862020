"""Passes over inputs before the job itself, on all CPUs of the cluster."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa
import ray

from spadepis.dataset.inputs.conventions import LabelConventions
from spadepis.matching.matching import Matching
from spadepis.matching.style_index import StyleIndex
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.class_survey import Classes, to_classes
from spadepis.pipeline.planning.inputs import Inputs
from spadepis.pipeline.ray.actors import hosting
from spadepis.pipeline.ray.streaming import stream
from spadepis.pipeline.resources.allocation import Workers
from spadepis.pipeline.stages.describe_styles import DescribeStyles
from spadepis.pipeline.stages.find_classes import FindClasses
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.workers.pool import Pool

log = logging.getLogger(__name__)

LABEL_MAPS_IN_BLOCK = 256
STYLES_IN_BLOCK = 64


def survey_classes(config: JobConfig, inputs: Inputs, conventions: LabelConventions) -> Classes:
    """Find the classes of all label maps.

    Args:
        config: the configuration, which has their label space.
        inputs: the inputs, which have the label maps.
        conventions: how they are read where a file leaves it open.
    """
    sources = inputs.mask_sources
    log.info("reading the classes of %d label maps", len(sources))
    table = pa.table({"id": list(sources), "source": list(sources.values())})
    arguments = {
        "label_space": config.label_space,
        "max_pixels": config.inputs.max_pixels,
        "conventions": conventions,
    }
    stage = StageSpec(FindClasses, arguments)
    found = on_all_cpus(table, stage, LABEL_MAPS_IN_BLOCK, config)
    return to_classes(found)


def describe_styles(
    config: JobConfig, inputs: Inputs, conventions: LabelConventions
) -> Matching | None:
    """Describe all styles if they are to be matched to scenes.

    They are compared with the scenes by their label maps if both have any, else by deep features.

    Args:
        config: the configuration, which says whether and how.
        inputs: the inputs, which have the styles.
        conventions: how their label maps are read where a file leaves it open.
    """
    if config.matched_labels is None:
        return None
    styles = [inputs.style(id) for id in inputs.style_ids]
    by_classes = inputs.masks is not None and inputs.style_masks is not None
    log.info(
        "describing %d styles by their %s", len(styles), "classes" if by_classes else "features"
    )
    table = pa.table(
        {
            "id": [style.id for style in styles],
            "source": [style.source for style in styles],
            "mask_source": pa.array([style.mask_source for style in styles], pa.string()),
        }
    )
    arguments = {
        "label_space": config.label_space,
        "region_labels": config.matched_labels,
        "checkpoint": None if by_classes else config.networks.photowct_checkpoint,
        "max_pixels": config.inputs.max_pixels,
        "conventions": conventions,
    }
    stage = StageSpec(DescribeStyles, arguments)
    found = on_all_cpus(table, stage, STYLES_IN_BLOCK, config)
    descriptors = dict(zip(found["id"].to_pylist(), found["descriptor"].to_pylist(), strict=True))
    length = next((len(row) for row in descriptors.values() if row is not None), 1)
    # A style that cannot be read is chosen last, and then fails where it is used.
    rows = [descriptors[id] or [np.nan] * length for id in inputs.style_ids]
    index = StyleIndex(inputs.style_ids, np.array(rows, np.float32), by_classes)
    return Matching(index, config.styles.match_diversity, config.matched_labels)


def on_all_cpus(
    table: pa.Table, stage: StageSpec, rows_in_block: int, config: JobConfig
) -> pa.Table:
    """Send a table block by block through workers on all CPUs of the cluster.

    Args:
        table: one row at least.
        stage: called with a block, it returns a table.
        rows_in_block: number of rows of ``table`` in a block.
        config: the configuration, which says how storage is reached and when a worker has stalled.

    Returns:
        What the workers returned, in any order.
    """
    starts = range(0, len(table), rows_in_block)
    blocks = [table.slice(start, rows_in_block) for start in starts]
    cpus = int(ray.cluster_resources().get("CPU", 1))
    # One CPU is left to what feeds them.
    workers = Workers(min(len(blocks), max(1, cpus - 1)), cpus=1)
    actors = hosting(Pool([stage], workers), 60 * config.machines.stall_minutes, measured=False)
    results = stream(blocks, [actors], config.storage_environment, elastic=False)
    return pa.concat_tables(results.iter_batches(batch_size=None, batch_format="pyarrow"))
