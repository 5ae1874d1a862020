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
from spadepis.dataset.image_set.commits import done, pairs, rejected
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import CARD, CONFIGURATION, MANIFEST, PLAN, REPORT
from spadepis.dataset.image_set.orphans import orphans, remove_orphans
from spadepis.dataset.storage.filesystems import storage_environment
from spadepis.dataset.storage.folder import Folder
from spadepis.labels.training import TrainingLabels
from spadepis.pipeline.assembly import Stage, assemble
from spadepis.pipeline.config.identity import check_identity, identify, write_identity
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.inputs import Inputs, list_inputs
from spadepis.pipeline.planning.plan import Plan, make_plan
from spadepis.pipeline.progress import Progress
from spadepis.pipeline.ray.class_survey import (
    Classes,
    FindClasses,
    find_classes,
    read_survey,
    write_survey,
)
from spadepis.pipeline.ray.cluster import (
    connection,
    full_size,
    on_cluster,
    present_size,
    try_stages,
)
from spadepis.pipeline.ray.metrics import measured
from spadepis.pipeline.ray.streaming import scenes_in_block, stream
from spadepis.pipeline.ray.style_descriptions import find_matching
from spadepis.pipeline.resources.allocation import Allocation, allocate
from spadepis.pipeline.scene import scenes_to_table
from spadepis.report.card import dataset_card
from spadepis.report.html import html_report
from spadepis.report.summary import summarize, summary_text, versions

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


def run(config: JobConfig) -> Outcome:
    """Do what is missing of a job, and write the index of its image set.

    Raises:
        ConfigurationError: the configuration cannot be run; nothing was written.
        CheckpointError: a checkpoint does not fit; nothing was written.
    """
    with storage_environment(config.storage_environment):
        return _run(config)


@dataclass(frozen=True)
class _Run:
    """A job with what was found out about it.

    Attributes:
        config: of the job.
        inputs: what there is.
        identity: what the image set is made with.
        folder: the image set.
        classes: of each label map, if it matters.
    """

    config: JobConfig
    inputs: Inputs
    identity: Mapping[str, Any]
    folder: Folder
    classes: Classes | None


def _run(config: JobConfig) -> Outcome:
    inputs = list_inputs(config)
    identity = identify(config, inputs.style_ids)
    folder = Folder(config.output.output)
    check_identity(folder, identity)
    run = _Run(config, inputs, identity, folder, _classes(config, inputs, folder))

    commits = read_log(folder)
    plan, missing = _missing(run, commits, config.quality.retry_failed)
    finished = not missing.scenes and folder.exists(MANIFEST)
    # What lies in a folder that no job has written to yet is not ours to remove.
    ours = not finished and folder.exists(CONFIGURATION)
    earlier = orphans(folder, commits) if ours else []
    if missing.scenes:
        commits = _do(run, plan, missing)
    else:
        log.info("nothing to do: all %d pairs are in %s", plan.pairs, folder.uri)

    summary = summarize(commits)
    complete = summary["failed"] <= config.quality.max_failed_fraction * summary["pairs"]
    if not finished:
        commits = compact(folder)
        remove_orphans(folder, commits, earlier)
        _write_index(run, commits, summary, complete)
    folder.clear_staging()
    text = summary_text(summary, commits, folder.uri)
    return Outcome(COMPLETE if complete else TOO_MANY_FAILED, text)


def _do(run: _Run, plan: Plan, missing: Plan) -> pa.Table:
    """Do what is missing of the plan and, where rejected pairs are replaced, of the next ones.

    Returns:
        The commit log afterwards.
    """
    config, folder = run.config, run.folder
    # A checkpoint that does not fit is one line here; in an actor it is a stack of traces.
    seconds = try_stages(config, missing.pairs / len(missing.scenes))
    with connection():
        present = present_size()
        full = full_size(config.machines, present)
        scenes = len(missing.scenes)
        allocation = allocate(
            config.machines, full, scenes, seconds, present, one_node=not on_cluster()
        )
        write_identity(folder, run.identity)
        if run.classes is not None:
            write_survey(folder, run.inputs.mask_sources, run.classes)
        matching = find_matching(config, run.inputs)
        # The index of an earlier run is no longer that of the whole set.
        folder.remove(MANIFEST)
        while missing.scenes:
            folder.write(PLAN, json.dumps({"pairs": plan.pairs}).encode())
            stages = assemble(config, allocation, matching)
            _execute(stages, config.storage_environment, allocation, missing, plan.pairs)
            commits = read_log(folder)
            lost = missing.without(pairs(commits)).pairs
            if lost:
                raise RuntimeError(f"{lost} pairs have neither a result nor a failure; run again")
            plan, missing = _missing(run, commits, retry_failed=False)
    return commits


def _write_index(run: _Run, commits: pa.Table, summary: Mapping[str, Any], complete: bool) -> None:
    manifest = {
        "status": "complete" if complete else "too many failed pairs",
        **summary,
        "configuration": run.identity,
        "label_space": TrainingLabels.of(run.config.space).to_manifest(),
        "versions": versions(),
    }
    report = html_report(summary, commits, run.identity, run.config.label_space, run.folder)
    pages = {CARD: dataset_card(summary, run.identity), REPORT: report}
    write_index(run.folder, commits, pages, manifest)


def _classes(config: JobConfig, inputs: Inputs, folder: Folder) -> Classes | None:
    """The classes of all label maps, if it matters which they are."""
    if not config.wanted_classes:
        return None
    classes = read_survey(folder, inputs.mask_sources)
    if classes is None:
        with connection():
            stage = FindClasses(config.label_space, config.inputs.max_pixels)
            classes = find_classes(inputs.mask_sources, stage, config.storage_environment)
        # In a new folder nothing is written before the configuration is.
        if folder.exists(CONFIGURATION):
            write_survey(folder, inputs.mask_sources, classes)
    return classes


def _missing(run: _Run, commits: pa.Table, retry_failed: bool) -> tuple[Plan, Plan]:
    """The plan, and what of it is not done.

    Args:
        run: says what is to be done, and whether rejected pairs are replaced.
        commits: what is settled.
        retry_failed: whether failed pairs are not.
    """
    rejections = pairs(rejected(commits))
    replaced = rejections if run.config.quality.replace_rejected else ()
    plan = make_plan(run.config, run.inputs, replaced, run.classes)
    settled = pairs(done(commits)) | rejections if retry_failed else pairs(commits)
    return plan, plan.without(settled)


def _execute(
    stages: Sequence[Stage],
    environment: Mapping[str, str],
    allocation: Allocation,
    missing: Plan,
    total: int,
) -> None:
    """Stream the missing scenes through the stages, showing progress as they are committed."""
    rows = scenes_in_block(len(missing.scenes), allocation.workers)
    blocks = [
        scenes_to_table(missing.scenes[start : start + rows])
        for start in range(0, len(missing.scenes), rows)
    ]
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
