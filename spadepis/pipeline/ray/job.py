"""Running a job from its configuration to its image set."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from spadepis.dataset.image_set.commit_log import compact, read_log
from spadepis.dataset.image_set.commits import done, pairs, rejected, revisions
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import CARD, CONFIGURATION, MANIFEST, PLAN, REPORT
from spadepis.dataset.image_set.orphans import orphans, remove_orphans
from spadepis.dataset.inputs.conventions import LabelConventions
from spadepis.dataset.storage.filesystems import storage_environment
from spadepis.dataset.storage.folder import Folder
from spadepis.labels.training import TrainingLabels
from spadepis.pipeline.assembly import assemble
from spadepis.pipeline.config.identity import check_identity, identify, write_identity
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.class_survey import Classes, read_survey, write_survey
from spadepis.pipeline.planning.dry_run import refuse_implausible
from spadepis.pipeline.planning.input_check import InputCheck, check_inputs, check_text
from spadepis.pipeline.planning.inputs import Inputs, list_inputs
from spadepis.pipeline.planning.plan import Plan, make_plan, wanted_ids
from spadepis.pipeline.progress import Progress
from spadepis.pipeline.ray.actors import hosting
from spadepis.pipeline.ray.cluster import (
    connection,
    full_size,
    on_cluster,
    present_size,
    try_stages,
)
from spadepis.pipeline.ray.passes import describe_styles, survey_classes
from spadepis.pipeline.ray.streaming import scenes_in_block, stream
from spadepis.pipeline.repeated_errors import RepeatedErrors
from spadepis.pipeline.resources.allocation import Allocation, allocate
from spadepis.pipeline.revision import REVISION
from spadepis.pipeline.scene import Scene, scenes_to_table
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.workers.pool import Pool
from spadepis.report.card import dataset_card
from spadepis.report.html import html_report
from spadepis.report.summary import summarize, summary_text, versions

log = logging.getLogger(__name__)

COMPLETE = 0
TOO_MANY_FAILED = 3


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        status: exit status, 0 complete or 3 finished with more failed pairs than allowed.
        summary: text for people.
    """

    status: int
    summary: str


@dataclass(frozen=True)
class _Job:
    """A job with what was found out about it before any work.

    Attributes:
        config: its settings.
        inputs: the lists of its inputs.
        identity: what its image set is made with.
        folder: the image set.
        check: what a sample of the inputs shows.
        classes: of each label map, if the choice of scenes depends on them.
    """

    config: JobConfig
    inputs: Inputs
    identity: Mapping[str, Any]
    folder: Folder
    check: InputCheck
    classes: Classes | None


def run(config: JobConfig) -> Outcome:
    """Do what is missing of a job, and write the index of its image set.

    Raises:
        ConfigurationError: the configuration cannot be run; nothing was written.
        CheckpointError: a checkpoint does not fit; nothing was written.
    """
    with storage_environment(config.storage_environment):
        job = _find_out(config)
        commits = read_log(job.folder)
        plan, missing = _plan(job, commits, config.quality.retry_failed)
        if not missing.scenes:
            log.info("nothing to do: all %d pairs are in %s", plan.pairs, job.folder.uri)
            if job.folder.exists(MANIFEST):
                job.folder.clear_staging()
                return _outcome(job, commits)
        earlier = _earlier_orphans(job.folder, commits)
        if missing.scenes:
            _tell_revisions(commits)
            _make(job, plan, missing)
        commits = compact(job.folder)
        remove_orphans(job.folder, commits, earlier)
        _write_index(job, commits)
        job.folder.clear_staging()
        return _outcome(job, commits)


def _find_out(config: JobConfig) -> _Job:
    """List the inputs, and check them and that the output folder is free or holds the same set."""
    inputs = list_inputs(config)
    identity = identify(config, inputs.style_ids)
    folder = Folder(config.output.output)
    check_identity(folder, identity)
    check = check_inputs(config, inputs, wanted_ids(config, list(inputs.scenes.images)))
    for line in check_text(check):
        log.info("%s", line)
    refuse_implausible(config, check)
    classes = _classes(config, inputs, folder, check.conventions)
    return _Job(config, inputs, identity, folder, check, classes)


def _classes(
    config: JobConfig, inputs: Inputs, folder: Folder, conventions: LabelConventions
) -> Classes | None:
    """The classes of all label maps, if the choice of scenes depends on them."""
    if not config.wanted_classes:
        return None
    classes = read_survey(folder, inputs.mask_sources)
    if classes is None:
        with connection():
            classes = survey_classes(config, inputs, conventions)
        # In a new folder nothing is written before the configuration is.
        if folder.exists(CONFIGURATION):
            write_survey(folder, inputs.mask_sources, classes)
    return classes


def _plan(job: _Job, commits: pa.Table, retry_failed: bool) -> tuple[Plan, Plan]:
    """The plan, and the part of it that is missing.

    Args:
        job: to be planned.
        commits: the pairs that are settled.
        retry_failed: whether failed pairs are not settled.
    """
    rejections = pairs(rejected(commits))
    replaced = rejections if job.config.quality.replace_rejected else ()
    plan = make_plan(job.config, job.inputs, replaced, job.classes)
    settled = pairs(done(commits)) | rejections if retry_failed else pairs(commits)
    return plan, plan.without(settled)


def _tell_revisions(commits: pa.Table) -> None:
    """Say once that a set goes on with images that another revision would have made."""
    others = {
        revision: n for revision, n in revisions(done(commits)).items() if revision != REVISION
    }
    if others:
        log.info(
            "%d images of this set were made by revision %s of what makes pixels; the others will "
            "be made by revision %d, and may look slightly different",
            sum(others.values()),
            ", ".join(map(str, others)),
            REVISION,
        )


def _earlier_orphans(folder: Folder, commits: pa.Table) -> Sequence[str]:
    """Images that a run before this one wrote and did not commit."""
    # What lies in a folder that no job has written to yet is not ours to remove.
    return orphans(folder, commits) if folder.exists(CONFIGURATION) else []


def _make(job: _Job, plan: Plan, missing: Plan) -> None:
    """Do what is missing of the plan and, if rejected pairs are replaced, of the next ones."""
    # A checkpoint that does not fit is one line here; in an actor it is a stack of traces.
    seconds = try_stages(job.config, missing.pairs / len(missing.scenes))
    with connection():
        allocation = _share_cluster(job.config, len(missing.scenes), seconds)
        _begin(job)
        pools = _make_pools(job, allocation)
        while missing.scenes:
            job.folder.write(PLAN, json.dumps({"pairs": plan.pairs}).encode())
            _stream(job.config, pools, missing, plan.pairs)
            commits = read_log(job.folder)
            lost = missing.without(pairs(commits)).pairs
            if lost:
                raise RuntimeError(f"{lost} pairs have neither a result nor a failure; run again")
            plan, missing = _plan(job, commits, retry_failed=False)


def _share_cluster(
    config: JobConfig, scenes: int, seconds: Mapping[Declaration, float]
) -> Allocation:
    """The workers of each stage, for as many scenes that take so many seconds in a stage."""
    present = present_size()
    full = full_size(config.machines, present)
    one_node = not on_cluster()
    return allocate(config.machines, full, scenes, seconds, present, one_node)


def _begin(job: _Job) -> None:
    """Mark the folder as this image set, unfinished."""
    write_identity(job.folder, job.identity)
    if job.classes is not None:
        write_survey(job.folder, job.inputs.mask_sources, job.classes)
    # The index of an earlier run is no longer that of the whole set.
    job.folder.remove(MANIFEST)


def _make_pools(job: _Job, allocation: Allocation) -> list[Pool]:
    """The assembled stages with their workers, one stage in a worker."""
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
    )
    return [Pool([stage], allocation[stage.declaration]) for stage in stages]


def _stream(config: JobConfig, pools: Sequence[Pool], missing: Plan, total: int) -> None:
    """Stream the missing scenes through pools, showing progress as their pairs are committed."""
    computing = [pool.workers for pool in pools if pool.computes]
    workers = sum(each.count for each in computing)
    blocks = _blocks(missing.scenes, scenes_in_block(len(missing.scenes), workers))
    actors = [hosting(pool) for pool in pools]
    dataset = stream(blocks, actors, config.storage_environment, elastic=on_cluster())
    log.info(
        "%d pairs of %d scenes to do, %d workers on %s",
        missing.pairs,
        len(missing.scenes),
        workers,
        " and ".join(sorted({each.device for each in computing})),
    )
    progress = Progress(done=total - missing.pairs, total=total)
    repeated = RepeatedErrors()
    with closing(progress):
        for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
            for outcome in batch.to_pylist():
                unexpected = outcome.pop("unexpected")
                progress.update(**outcome)
                for failure in unexpected:
                    log.warning("%(mask_id)s failed in %(error)s", failure)
                repeated.update(outcome["done"], [failure["error"] for failure in unexpected])


def _blocks(scenes: Sequence[Scene], rows: int) -> list[pa.Table]:
    starts = range(0, len(scenes), rows)
    return [scenes_to_table(scenes[start : start + rows]) for start in starts]


def _write_index(job: _Job, commits: pa.Table) -> None:
    summary = summarize(commits)
    labels = TrainingLabels.of(job.config.label_space)
    split_by = job.config.output.split_by
    manifest = {
        "status": "complete" if _is_complete(job, summary) else "too many failed pairs",
        **summary,
        "configuration": job.identity,
        "label_space": labels.to_manifest(),
        "versions": versions(),
    }
    report = html_report(summary, commits, job.identity, job.config.label_space, job.folder)
    pages = {CARD: dataset_card(summary, commits, job.identity, labels, split_by), REPORT: report}
    write_index(job.folder, commits, pages, manifest, split_by)


def _outcome(job: _Job, commits: pa.Table) -> Outcome:
    summary = summarize(commits)
    status = COMPLETE if _is_complete(job, summary) else TOO_MANY_FAILED
    return Outcome(status, summary_text(summary, commits, job.folder.uri))


def _is_complete(job: _Job, summary: Mapping[str, Any]) -> bool:
    allowed = job.config.quality.max_failed_fraction * summary["pairs"]
    return bool(summary["failed"] <= allowed)
