"""Running a job from its configuration to its image set."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext, Dataset

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
from spadepis.pipeline.assembly import assemble
from spadepis.pipeline.calibration import seconds_per_scene
from spadepis.pipeline.config import Job, JobConfig, check_config, with_default_models
from spadepis.pipeline.html_report import html_report
from spadepis.pipeline.identity import check_identity, identify, write_identity
from spadepis.pipeline.inputs import Inputs, list_inputs
from spadepis.pipeline.plan import Plan, make_plan
from spadepis.pipeline.progress import Progress
from spadepis.pipeline.report import dataset_card, summarize, summary_text, versions
from spadepis.pipeline.resources import Allocation, ClusterSize, allocate
from spadepis.pipeline.scene import Scene, scenes_to_table
from spadepis.pipeline.survey import Classes, FindClasses, find_classes, read_survey, write_survey

log = logging.getLogger(__name__)

# Columns of what ``Write`` returns.
OUTCOMES = ("done", "failed", "rejected")
COMPLETE = 0
TOO_MANY_FAILED = 3

# Only on this machine; a cluster has its own.
LOCAL_OBJECT_STORE_BYTES = 1 << 30
MOST_SCENES_IN_BLOCK = 16
BLOCKS_PER_WORKER = 4


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
        seconds = seconds_per_scene(job, config, missing.pairs / len(missing.scenes))
        with _cluster():
            allocation = allocate(config, _cluster_size(), len(missing.scenes), seconds)
            write_identity(folder, identity)
            if classes is not None:
                write_survey(folder, inputs.mask_sources, classes)
            # The index of an earlier run is no longer that of the whole set.
            folder.remove(MANIFEST)
            # Once, and where rejected pairs are replaced, until no more are.
            while missing.scenes:
                folder.write(PLAN, json.dumps({"pairs": plan.pairs}).encode())
                _execute(job, config, missing, allocation, plan.pairs)
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
            REPORT: html_report(summary, commits, identity, config.space),
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
        with _cluster():
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


@contextmanager
def _cluster() -> Iterator[None]:
    """A connection to the cluster at ``RAY_ADDRESS``, or a cluster on this machine alone."""
    if ray.is_initialized():
        yield
        return
    # No reports over the network, and no engine logs between the lines of progress.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    alone: dict[str, Any] = {
        "address": "local",
        "include_dashboard": False,
        "object_store_memory": LOCAL_OBJECT_STORE_BYTES,
    }
    arguments = {} if "RAY_ADDRESS" in os.environ else alone
    ray.init(**arguments, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def _cluster_size() -> ClusterSize:
    resources = ray.cluster_resources()
    return ClusterSize(cpus=resources.get("CPU", 0.0), gpus=resources.get("GPU", 0.0))


def _execute(
    job: Job, config: JobConfig, missing: Plan, allocation: Allocation, total: int
) -> None:
    """Stream the missing scenes through the stages, showing progress as they are committed."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    DataContext.get_current().enable_progress_bars = False
    dataset = _build(job, config, missing.scenes, allocation)
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


def _build(job: Job, config: JobConfig, scenes: Sequence[Scene], allocation: Allocation) -> Dataset:
    """The stages of a job as a Ray dataset, lazily."""
    blocks = BLOCKS_PER_WORKER * allocation.workers
    rows = min(MOST_SCENES_IN_BLOCK, math.ceil(len(scenes) / blocks))
    tables = [scenes_to_table(scenes[i : i + rows]) for i in range(0, len(scenes), rows)]
    # The processes of a cluster do not see the storage that this one is set to.
    environment = s3_environment(config.s3_endpoint, config.s3_anonymous)
    options = {"runtime_env": {"env_vars": environment}} if environment else {}
    dataset = ray.data.from_arrow(tables)
    for stage in assemble(job, config, allocation):
        dataset = dataset.map_batches(
            stage.kind,
            fn_constructor_kwargs=stage.arguments,
            batch_size=rows,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=stage.workers.count),
            num_cpus=stage.workers.cpus,
            num_gpus=stage.workers.gpus,
            **options,
        )
    return dataset
