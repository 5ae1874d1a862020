"""Running a job from its configuration to its image set."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from spadepis.checkpoints.errors import CheckpointError
from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commit_log import commit_files, compact, read_log
from spadepis.dataset.image_set.commits import done, revisions
from spadepis.dataset.image_set.layout import CONFIGURATION, MANIFEST
from spadepis.dataset.image_set.lease import Lease, hold
from spadepis.dataset.image_set.orphans import remove_orphans
from spadepis.dataset.image_set.records import DamagedFileError
from spadepis.dataset.storage.errors import NO_SPACE
from spadepis.dataset.storage.filesystems import storage_environment
from spadepis.filesystem_errors import reason
from spadepis.pipeline.config.identity import check_identity, identity_hash, write_identity
from spadepis.pipeline.config.kept_command import keep_command
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.ending import (
    INCOMPLETE,
    Outcome,
    is_current,
    outcome_of,
    write_set_index,
)
from spadepis.pipeline.planning.input_check import check_text, refuse_implausible
from spadepis.pipeline.planning.preparation import (
    Prepared,
    plan_pairs,
    prepare,
    record_plan,
    refuse_other_pairs,
)
from spadepis.pipeline.planning.recovery import is_sound, lost_objects, recover
from spadepis.pipeline.ray.cluster import connection
from spadepis.pipeline.ray.making import make
from spadepis.pipeline.ray.passes import survey_classes
from spadepis.pipeline.revision import REVISION

log = logging.getLogger(__name__)


def run(config: JobConfig) -> Outcome:
    """Do what is missing of a job, and write the index of its image set.

    Raises:
        ConfigurationError: the configuration cannot be run; nothing was written.
        CheckpointError: a checkpoint does not fit; nothing was written.
        HeldError: another job is writing the image set; nothing was written.
        OSError: something cannot be read or written, or another job has taken over.
    """
    with storage_environment(config.storage_environment):
        job = prepare(config)
        for line in check_text(job.check):
            log.info("%s", line)
        for line in job.check.warnings:
            log.warning("%s", line)
        refuse_implausible(config, job.check)
        outcome = _finished(job)
        if outcome is None:
            with _holding(job) as (lease, earlier):
                outcome = _complete(job, lease, earlier)
        return outcome


def _finished(job: Prepared) -> Outcome | None:
    """The outcome of an image set that is finished; None if there is anything to do."""
    surveyed = job.classes is not None or not job.config.wanted_classes
    if not surveyed or not job.folder.exists(MANIFEST):
        return None
    try:
        commits = read_log(job.folder)
    except DamagedFileError:
        return None
    refuse_other_pairs(job, commits)
    plan, missing = plan_pairs(job, commits, job.config.quality.retry_failed)
    if missing.scenes or not is_sound(job.folder, commits, job.config.output):
        return None
    if not is_current(job, commits):
        return None
    log.info("nothing to do: all %d pairs are in %s", plan.pairs, job.folder.uri)
    return outcome_of(job, commits)


@contextmanager
def _holding(job: Prepared) -> Iterator[tuple[Lease, datetime | None]]:
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


def _complete(job: Prepared, lease: Lease, earlier: datetime | None) -> Outcome:
    """Do what is missing, and write the index."""
    job = _with_classes(job)
    commits, is_whole = recover(job)
    refuse_other_pairs(job, commits)
    plan, missing = plan_pairs(job, commits, job.config.quality.retry_failed)
    if missing.scenes:
        _tell_revisions(commits)
        make(job, lease, plan, missing)
    else:
        log.info("all %d pairs are in %s: writing its index", plan.pairs, job.folder.uri)
        keep_command(job.folder, job.config, job.start)
        record_plan(job, plan)
    lease.check()
    commits = compact(job.folder)
    if is_whole:
        remove_orphans(job.folder, commits, earlier)
    if missing.scenes and (lost := lost_objects(job.folder, commits, job.config.output)):
        return Outcome(INCOMPLETE, f"not finished: {lost}. Run the same command again to make them")
    return write_set_index(job, commits)


def _with_classes(job: Prepared) -> Prepared:
    """The job with the classes of all label maps, if the choice of scenes depends on them."""
    if not job.config.wanted_classes or job.classes is not None:
        return job
    with connection():
        return replace(job, classes=survey_classes(job.config, job.inputs, job.check.conventions))


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
