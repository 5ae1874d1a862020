"""Running a job from its configuration to its image set."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
from ray.data import DataContext

from spadepis.dataset.commit_log import (
    CONFIGURATION,
    PLAN,
    compact,
    done,
    pairs,
    read_log,
    rejected,
)
from spadepis.dataset.folder import Folder
from spadepis.dataset.index import CARD, MANIFEST, REPORT, write_index
from spadepis.dataset.objects import orphans, remove_orphans
from spadepis.dataset.storage import s3_environment, storage_environment
from spadepis.pipeline.assembly import Stage, assemble
from spadepis.pipeline.cluster import connection, full_size, on_cluster, present_size, try_stages
from spadepis.pipeline.config import Job, JobConfig, with_default_models
from spadepis.pipeline.html_report import html_report
from spadepis.pipeline.identity import check_identity, identify, write_identity
from spadepis.pipeline.inputs import Inputs, list_inputs
from spadepis.pipeline.metrics import measured
from spadepis.pipeline.parsing import check_config
from spadepis.pipeline.plan import Plan, make_plan
from spadepis.pipeline.progress import Progress
from spadepis.pipeline.report import dataset_card, summarize, summary_text, versions
from spadepis.pipeline.resources import Allocation, allocate
from spadepis.pipeline.scene import scenes_to_table
from spadepis.pipeline.streaming import scenes_in_block, stream
from spadepis.pipeline.style_index import find_matching
from spadepis.pipeline.survey import Classes, FindClasses, find_classes, read_survey, write_survey

log = logging.getLogger(__name__)

# Columns of what ``Write`` returns.
OUTCOMES = ("done", "failed", "rejected")
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


def run(job: Job, config: JobConfig) -> Outcome:
    """Do what is missing of a job, and write the index of its image set.

    Raises:
        ConfigurationError: the configuration cannot be run; nothing was written.
        CheckpointError: a checkpoint does not fit; nothing was written.
    """
    check_config(job, config)
    with storage_environment(s3_environment(config.s3_endpoint, config.s3_anonymous)):
        return _run(job, config)


def _run(job: Job, config: JobConfig) -> Outcome:
    config = with_default_models(job, config)
    inputs = list_inputs(job, config)
    identity = identify(job, config, inputs.style_ids)
    folder = Folder(config.output)
    check_identity(folder, identity)

    classes = _classes(config, inputs, folder)
    commits = read_log(folder)
    plan, missing = _missing(config, inputs, classes, commits, config.retry_failed)
    finished = not missing.scenes and folder.exists(MANIFEST)
    # What lies in a folder that no job has written to yet is not ours to remove.
    ours = not finished and folder.exists(CONFIGURATION)
    earlier = orphans(folder, commits) if ours else []
    if missing.scenes:
        # A checkpoint that does not fit is one line here; in an actor it is a stack of traces.
        environment = s3_environment(config.s3_endpoint, config.s3_anonymous)
        seconds = try_stages(job, config, missing.pairs / len(missing.scenes), environment)
        with connection():
            present = present_size()
            full = full_size(config, present)
            allocation = allocate(config, full, len(missing.scenes), seconds, present)
            write_identity(folder, identity)
            if classes is not None:
                write_survey(folder, inputs.mask_sources, classes)
            matching = find_matching(config, inputs, environment)
            # The index of an earlier run is no longer that of the whole set.
            folder.remove(MANIFEST)
            # Once, and where rejected pairs are replaced, until no more are.
            while missing.scenes:
                folder.write(PLAN, json.dumps({"pairs": plan.pairs}).encode())
                stages = assemble(job, config, allocation, matching)
                _execute(config, stages, allocation, missing, plan.pairs)
                commits = read_log(folder)
                lost = missing.without(pairs(commits)).pairs
                if lost:
                    raise RuntimeError(
                        f"{lost} pairs have neither a result nor a failure; run again"
                    )
                plan, missing = _missing(config, inputs, classes, commits, False)
    else:
        log.info("nothing to do: all %d pairs are in %s", plan.pairs, folder.uri)

    summary = summarize(commits)
    complete = summary["failed"] <= config.max_failed_fraction * summary["pairs"]
    manifest = {
        "status": "complete" if complete else "too many failed pairs",
        **summary,
        "configuration": identity,
        "versions": versions(),
    }
    if not finished:
        commits = compact(folder)
        remove_orphans(folder, commits, earlier)
        pages = {
            CARD: dataset_card(summary, identity),
            REPORT: html_report(summary, commits, identity, config.space, folder),
        }
        write_index(folder, commits, pages, manifest)
    folder.clear_staging()
    text = summary_text(summary, commits, folder.uri)
    return Outcome(COMPLETE if complete else TOO_MANY_FAILED, text)


def _classes(config: JobConfig, inputs: Inputs, folder: Folder) -> Classes | None:
    """The classes of all label maps, if it matters which they are."""
    if config.containing_classes is None:
        return None
    classes = read_survey(folder, inputs.mask_sources)
    if classes is None:
        with connection():
            stage = FindClasses(config.space, config.max_pixels)
            environment = s3_environment(config.s3_endpoint, config.s3_anonymous)
            classes = find_classes(inputs.mask_sources, stage, environment)
    return classes


def _missing(
    config: JobConfig,
    inputs: Inputs,
    classes: Classes | None,
    commits: pa.Table,
    retry_failed: bool,
) -> tuple[Plan, Plan]:
    """The plan, and what of it is not done.

    Args:
        config: says what is to be done, and whether rejected pairs are replaced.
        inputs: what there is.
        classes: of each label map, if it matters.
        commits: what is settled.
        retry_failed: whether failed pairs are not.
    """
    rejections = pairs(rejected(commits))
    plan = make_plan(config, inputs, rejections if config.replace_rejected else (), classes)
    settled = pairs(done(commits)) | rejections if retry_failed else pairs(commits)
    return plan, plan.without(settled)


def _execute(
    config: JobConfig, stages: Sequence[Stage], allocation: Allocation, missing: Plan, total: int
) -> None:
    """Stream the missing scenes through the stages, showing progress as they are committed."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    DataContext.get_current().enable_progress_bars = False
    rows = scenes_in_block(len(missing.scenes), allocation.workers)
    blocks = [
        scenes_to_table(missing.scenes[start : start + rows])
        for start in range(0, len(missing.scenes), rows)
    ]
    environment = s3_environment(config.s3_endpoint, config.s3_anonymous)
    reporting = [measured(stage) for stage in stages]
    dataset = stream(blocks, reporting, environment, elastic=on_cluster())
    log.info(
        "%d pairs of %d scenes to do, %d workers on %s",
        missing.pairs,
        len(missing.scenes),
        allocation.workers,
        allocation.device,
    )
    progress = Progress(done=total - missing.pairs, total=total)
    with closing(progress):
        for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
            progress.update(**{name: sum(batch[name].to_pylist()) for name in OUTCOMES})
