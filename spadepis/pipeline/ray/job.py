"""Running a job from its configuration to its image set."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spadepis.checkpoints.errors import CheckpointError
from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commit_log import commit_files, compact, read_log
from spadepis.dataset.image_set.commits import (
    done,
    of_another_identity,
    pairs,
    rejected,
    revisions,
)
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import CARD, CONFIGURATION, MANIFEST, PLAN, REPORT
from spadepis.dataset.image_set.lease import Lease, hold
from spadepis.dataset.image_set.orphans import remove_orphans
from spadepis.dataset.image_set.records import DamagedFileError, write_record
from spadepis.dataset.storage.errors import NO_SPACE, reason
from spadepis.dataset.storage.filesystems import storage_environment
from spadepis.dataset.storage.folder import Folder
from spadepis.labels.training import TrainingLabels
from spadepis.pipeline.assembly import assemble
from spadepis.pipeline.config.identity import (
    check_identity,
    identify,
    identity_hash,
    write_identity,
)
from spadepis.pipeline.config.kept_command import keep_command
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.class_survey import Classes, read_survey, write_survey
from spadepis.pipeline.planning.dry_run import refuse_implausible
from spadepis.pipeline.planning.input_check import InputCheck, check_inputs, check_text
from spadepis.pipeline.planning.inputs import Inputs, list_inputs
from spadepis.pipeline.planning.plan import Plan, make_plan, wanted_ids
from spadepis.pipeline.planning.recovery import is_sound, lost_objects, recover
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

# Columns of what ``Write`` returns.
OUTCOMES = ("done", "failed", "rejected")
COMPLETE = 0
INCOMPLETE = 1
TOO_MANY_FAILED = 3
# A worker has stalled if it takes so many times as long as the trial says, and the minutes that are
# set.
LONGER_THAN_EXPECTED = 10.0


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        status: exit status: 0 complete, 1 images are missing that were written, or 3 finished
            with more failed pairs than allowed.
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
        classes: classes of each label map, if the choice of scenes depends on them.
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
        HeldError: another job is writing the image set; nothing was written.
        OSError: something cannot be read or written, or another job has taken over.
    """
    with storage_environment(config.storage_environment):
        job = _find_out(config)
        outcome = _finished(job)
        if outcome is None:
            with _holding(job) as (lease, earlier):
                outcome = _complete(job, lease, earlier)
        return outcome


def _find_out(config: JobConfig) -> _Job:
    """List the inputs, and check them and that the output folder is free or holds the same set."""
    inputs = list_inputs(config)
    identity = identify(config, inputs.style_ids)
    folder = Folder(config.output.output)
    check_identity(folder, identity)
    check = check_inputs(config, inputs, wanted_ids(config, list(inputs.scenes.images)))
    for line in check_text(check):
        log.info("%s", line)
    for line in check.warnings:
        log.warning("%s", line)
    refuse_implausible(config, check)
    classes = read_survey(folder, inputs.mask_sources) if config.wanted_classes else None
    return _Job(config, inputs, identity, folder, check, classes)


def _finished(job: _Job) -> Outcome | None:
    """The outcome of an image set that is finished; None if there is anything to do."""
    surveyed = job.classes is not None or not job.config.wanted_classes
    if not surveyed or not job.folder.exists(MANIFEST):
        return None
    try:
        commits = read_log(job.folder)
    except DamagedFileError:
        return None
    _refuse_other_pairs(job, commits)
    plan, missing = _plan(job, commits, job.config.quality.retry_failed)
    if missing.scenes or not is_sound(job.folder, commits, job.config.output):
        return None
    log.info("nothing to do: all %d pairs are in %s", plan.pairs, job.folder.uri)
    return _outcome(job, commits)


@contextmanager
def _holding(job: _Job) -> Iterator[tuple[Lease, datetime | None]]:
    """Hold the folder, with the configuration of the job in it.

    If the job turns out to be one that cannot be run before anything is committed, the folder is
    left as if it had not been started.

    Yields:
        The lease, and until when an earlier run wrote to the folder, if one did.
    """
    folder = job.folder
    with ExitStack() as stack:
        try:
            lease = stack.enter_context(hold(folder, identity_hash(job.identity)))
        except OSError as error:
            if error.errno in NO_SPACE:
                raise
            raise ConfigurationError(f"{folder.uri} cannot be written: {reason(error)}") from error
        # Whoever held it until now may have committed something.
        check_identity(folder, job.identity)
        # What lies in a folder that no job has written to yet is not ours to remove.
        earlier = lease.since if folder.exists(CONFIGURATION) else None
        write_identity(folder, job.identity)
        try:
            yield lease, earlier
        except (ConfigurationError, CheckpointError):
            if not commit_files(folder):
                folder.remove(CONFIGURATION)
            raise


def _complete(job: _Job, lease: Lease, earlier: datetime | None) -> Outcome:
    """Do what is missing, and write the index."""
    job = _with_classes(job)
    commits = recover(job.folder, job.config.output)
    _refuse_other_pairs(job, commits)
    plan, missing = _plan(job, commits, job.config.quality.retry_failed)
    if missing.scenes:
        _tell_revisions(commits)
        _make(job, lease, plan, missing)
    else:
        log.info("all %d pairs are in %s: writing its index", plan.pairs, job.folder.uri)
    lease.check()
    commits = compact(job.folder)
    remove_orphans(job.folder, commits, earlier)
    if missing.scenes and (lost := lost_objects(job.folder, commits, job.config.output)):
        return Outcome(INCOMPLETE, f"not finished: {lost}. The same command does it again")
    _record_plan(job, plan)
    _write_index(job, commits)
    return _outcome(job, commits)


def _with_classes(job: _Job) -> _Job:
    """The job with the classes of all label maps, if the choice of scenes depends on them."""
    if not job.config.wanted_classes or job.classes is not None:
        return job
    with connection():
        return replace(job, classes=survey_classes(job.config, job.inputs, job.check.conventions))


def _refuse_other_pairs(job: _Job, commits: pa.Table) -> None:
    """Check that the pairs of the set were made with the configuration of this job.

    Raises:
        ConfigurationError: some were made with another one.
    """
    if others := len(of_another_identity(commits, identity_hash(job.identity))):
        raise ConfigurationError(
            f"{others} of {len(commits)} pairs in {job.folder.uri} were made with another "
            "configuration, by another job on the same folder. Give another --output"
        )


def _plan(job: _Job, commits: pa.Table, retry_failed: bool) -> tuple[Plan, Plan]:
    """The plan, and the part of it that is missing.

    Args:
        job: the job to be planned.
        commits: the pairs that are settled.
        retry_failed: whether failed pairs are not settled.
    """
    rejections = pairs(rejected(commits))
    replaced = rejections if job.config.quality.replace_rejected else ()
    plan = make_plan(job.config, job.inputs, replaced, job.classes)
    settled = pairs(done(commits)) | rejections if retry_failed else pairs(commits)
    return plan, plan.without(settled)


def _tell_revisions(commits: pa.Table) -> None:
    """Say once that images of another pixel revision are added to a set."""
    others = {
        revision: n for revision, n in revisions(done(commits)).items() if revision != REVISION
    }
    if others:
        log.info(
            "%d images of this set were made by pixel revision %s; the others will be made by "
            "revision %d and may look slightly different",
            sum(others.values()),
            ", ".join(map(str, others)),
            REVISION,
        )


def _make(job: _Job, lease: Lease, plan: Plan, missing: Plan) -> None:
    """Do what is missing of the plan and, if rejected pairs are replaced, of the next ones."""
    # A checkpoint that does not fit is one line here; in an actor it is a stack of traces.
    seconds = try_stages(job.config, missing.pairs / len(missing.scenes))
    with connection():
        allocation = _share_cluster(job.config, len(missing.scenes), seconds)
        _begin(job)
        pools = _make_pools(job, lease, allocation)
        while missing.scenes:
            _record_plan(job, plan)
            _stream(job.config, pools, missing, plan.pairs, seconds)
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
    """Mark the image set as unfinished."""
    if job.classes is not None:
        write_survey(job.folder, job.inputs.mask_sources, job.classes)
    # The index of an earlier run is no longer that of the whole set.
    job.folder.remove(MANIFEST)


def _record_plan(job: _Job, plan: Plan) -> None:
    """Write how many pairs there are to be, and the command that makes them."""
    write_record(job.folder, PLAN, {"pairs": plan.pairs})
    keep_command(job.folder, job.config)


def _make_pools(job: _Job, lease: Lease, allocation: Allocation) -> list[Pool]:
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
        lease,
    )
    return [Pool([stage], allocation[stage.declaration]) for stage in stages]


def _stream(
    config: JobConfig,
    pools: Sequence[Pool],
    missing: Plan,
    total: int,
    seconds: Mapping[Declaration, float],
) -> None:
    """Stream the missing scenes through pools, showing progress as their pairs are committed."""
    computing = [pool.workers for pool in pools if pool.computes]
    workers = sum(each.count for each in computing)
    rows = scenes_in_block(len(missing.scenes), workers)
    blocks = _blocks(missing.scenes, rows)
    stall_seconds = 60 * config.machines.stall_minutes
    actors = []
    for pool in pools:
        expected = rows * sum(seconds.get(stage.declaration, 0.0) for stage in pool.stages)
        actors.append(hosting(pool, stall_seconds + LONGER_THAN_EXPECTED * expected))
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
    with closing(progress), errors_of_workers():
        for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
            counts = {name: sum(batch[name].to_pylist()) for name in OUTCOMES}
            progress.update(**counts)
            repeated.update(counts["done"], pc.list_flatten(batch["unexpected"]).to_pylist())


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
