"""Describing all styles of a job, so that scenes get those that are most like them."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa

from spadepis.matching.choice import Matching
from spadepis.matching.description import DescribeStyles
from spadepis.matching.style_index import StyleIndex
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.inputs import Inputs
from spadepis.pipeline.ray.parallel_map import on_all_cpus

log = logging.getLogger(__name__)

STYLES_IN_BLOCK = 64


def find_matching(config: JobConfig, inputs: Inputs) -> Matching | None:
    """Describe all styles, where they are to be matched to scenes.

    They are compared with the scenes by their label maps if both have any, else by deep features.

    Args:
        config: says whether and how.
        inputs: has the styles.
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
    }
    found = on_all_cpus(
        table, DescribeStyles, arguments, STYLES_IN_BLOCK, config.storage_environment
    )
    descriptors = dict(zip(found["id"].to_pylist(), found["descriptor"].to_pylist(), strict=True))
    length = next((len(row) for row in descriptors.values() if row is not None), 1)
    # One that cannot be read is chosen last, and then fails where it is used.
    rows = [descriptors[id] or [np.nan] * length for id in inputs.style_ids]
    index = StyleIndex(inputs.style_ids, np.array(rows, np.float32), by_classes)
    return Matching(index, styles, config.styles.match_diversity, config.matched_labels)
