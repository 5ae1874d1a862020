"""Making what is missing of an image set: the stages on the workers of a cluster."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby

from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.image_set.commits import pairs
from spadepis.dataset.image_set.layout import MANIFEST
from spadepis.dataset.image_set.lease import Lease
from spadepis.dataset.inputs.photos import limited_size
from spadepis.pipeline.assembly import assemble
from spadepis.pipeline.config.kept_command import keep_command
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.class_survey import write_survey
from spadepis.pipeline.planning.plan import Plan
from spadepis.pipeline.planning.preparation import Prepared, plan_pairs, record_plan
from spadepis.pipeline.progress import Progress
from spadepis.pipeline.ray.actors import hosting
from spadepis.pipeline.ray.cluster import (
    connection,
    errors_of_workers,
    full_size,
    on_cluster,
    present_size,
    try_stages,
)
from spadepis.pipeline.ray.passes import describe_styles
from spadepis.pipeline.ray.rows import to_blocks
from spadepis.pipeline.ray.streaming import results_of, scenes_in_block, stream
from spadepis.pipeline.repeated_errors import RepeatedErrors
from spadepis.pipeline.resources.allocation import Allocation, allocate
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.workers.pool import Pool

log = logging.getLogger(__name__)

# A worker has stalled if it takes longer than ``--stall-minutes`` plus this many times what the
# trial measured.
LONGER_THAN_EXPECTED = 10.0


def make(job: Prepared, lease: Lease, plan: Plan, missing: Plan) -> None:
    """Do what is missing of the plan and, if rejected pairs are replaced, of the next ones."""
    log.info("loading the models and timing each stage on a made-up scene")
    # A checkpoint that does not fit is one line here; in an actor it is a stack of traces.
    seconds = try_stages(job.config, missing.pairs / len(missing.scenes))
    with connection():
        allocation = _share_cluster(job.config, len(missing.scenes), seconds)
        _begin(job)
        pools = _make_pools(job, lease, allocation)
        while missing.scenes:
            record_plan(job, plan)
            _stream(job, pools, missing, plan.pairs, seconds)
            commits = read_log(job.folder)
            lost = missing.without(pairs(commits)).pairs
            if lost:
                raise RuntimeError(
                    f"{lost} pairs have neither a result nor a failure; run the same command again"
                )
            if not job.config.quality.replace_rejected:
                return
            plan, missing = plan_pairs(job, commits, retry_failed=False)


def _share_cluster(
    config: JobConfig, scenes: int, seconds: Mapping[Declaration, float]
) -> Allocation:
    """The workers of each stage, for as many scenes that take so many seconds in a stage."""
    present = present_size()
    full = full_size(config.machines, present)
    one_node = not on_cluster()
    return allocate(config.machines, full, scenes, seconds, present, one_node)


def _begin(job: Prepared) -> None:
    """Mark the image set as unfinished, and keep the command that finishes it."""
    keep_command(job.folder, job.config, job.start)
    if job.classes is not None:
        write_survey(job.folder, job.inputs.mask_sources, job.classes)
    # The index of an earlier run is no longer that of the whole set.
    job.folder.remove(MANIFEST)


def _make_pools(job: Prepared, lease: Lease, allocation: Allocation) -> list[Pool]:
    """The assembled stages with their workers."""
    matching = describe_styles(job.config, job.inputs, job.check.style_conventions)
    styles = {}
    if matching is not None:
        styles = {id: job.inputs.style(id) for id in job.inputs.style_ids}
    devices = {stage: workers.device for stage, workers in allocation.items()}
    stages = assemble(
        job.config,
        devices,
        matching,
        styles,
        job.check.conventions,
        job.check.style_conventions,
        lease,
    )
    return [
        Pool(list(together), allocation[together[0].declaration])
        for together in _sharing_a_worker(stages, allocation)
    ]


def _sharing_a_worker(
    stages: Sequence[StageSpec], allocation: Allocation
) -> Iterator[Sequence[StageSpec]]:
    """Consecutive stages whose workers are shared, and each of the others by itself."""
    for shared, together in groupby(stages, key=lambda stage: allocation[stage.declaration].shared):
        if shared:
            yield list(together)
        else:
            yield from ([stage] for stage in together)


def _scene_bytes(job: Prepared, styles: int) -> int:
    """Size of a scene, as large as the largest label map that was looked at if sizes differ."""
    config, checked = job.config, job.check.label_maps
    sizes = [] if checked is None else [each.extent.size for each in checked.sampled]
    if config.size is not None:
        sizes = [config.size]
    elif config.longest_side is not None:
        longest = config.longest_side
        sizes = [limited_size(size, longest) for size in sizes] or [(longest, longest)]
    pixels = max((height * width for height, width in sizes), default=0)
    # Label map, instance edges, content and results.
    return pixels * (1 + 1 + 3 + 3 * styles)


def _stream(
    job: Prepared,
    pools: Sequence[Pool],
    missing: Plan,
    total: int,
    seconds: Mapping[Declaration, float],
) -> None:
    """Stream the missing scenes through pools, showing progress as their pairs are committed."""
    computing = [pool.workers for pool in pools if pool.computes]
    workers = sum(each.count for each in computing)
    styles = math.ceil(missing.pairs / len(missing.scenes))
    rows = scenes_in_block(len(missing.scenes), workers, _scene_bytes(job, styles))
    blocks = to_blocks(missing.scenes, rows)
    stall_seconds = 60 * job.config.machines.stall_minutes
    actors = []
    for pool in pools:
        expected = rows * sum(seconds.get(stage.declaration, 0.0) for stage in pool.stages)
        actors.append(hosting(pool, stall_seconds + LONGER_THAN_EXPECTED * expected))
    dataset = stream(blocks, actors, job.config.storage_environment, elastic=on_cluster())
    log.info(
        "%d pairs of %d scenes to do, %d worker%s on %s",
        missing.pairs,
        len(missing.scenes),
        workers,
        "" if workers == 1 else "s",
        " and ".join(sorted({each.device for each in computing})),
    )
    counts = {stage.declaration.name: pool.workers.count for pool in pools for stage in pool.stages}
    progress = Progress(total - missing.pairs, total, counts)
    repeated = RepeatedErrors()
    with closing(progress), errors_of_workers():
        for outcome in results_of(dataset):
            progress.update(outcome.done, outcome.failed, outcome.rejected, outcome.seconds)
            repeated.update(outcome.done, outcome.unexpected)
