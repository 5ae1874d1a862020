"""A job with what is found out about it before any work, and its plan."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commits import done, of_another_identity, pairs, rejected
from spadepis.dataset.image_set.layout import PLAN
from spadepis.dataset.image_set.records import write_record
from spadepis.dataset.image_set.splits import TRAIN, share_of, split_of
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.identity import check_identity, identify, identity_hash
from spadepis.pipeline.config.models import refuse_missing_checkpoints
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.class_survey import Classes, read_survey
from spadepis.pipeline.planning.input_check import InputCheck, check_inputs
from spadepis.pipeline.planning.inputs import Inputs, list_inputs
from spadepis.pipeline.planning.plan import Plan, make_plan, wanted_ids

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A job with what was found out about it before any work.

    Attributes:
        config: its settings.
        inputs: the lists of its inputs.
        identity: what its image set is made with.
        folder: the image set.
        check: what a sample of the inputs shows.
        classes: classes of each label map, if the choice of scenes depends on them.
        start: when this run of the job began.
    """

    config: JobConfig
    inputs: Inputs
    identity: Mapping[str, Any]
    folder: Folder
    check: InputCheck
    classes: Classes | None
    start: datetime


def prepare(config: JobConfig) -> Prepared:
    """List the inputs, and check them and that the output folder is free or holds the same set.

    Raises:
        ConfigurationError: the configuration cannot be run.
        CheckpointError: a checkpoint does not exist or cannot be read.
    """
    start = datetime.now(UTC)
    refuse_missing_checkpoints(config.networks, config.given)
    log.info("listing and checking the inputs")
    inputs = list_inputs(config)
    _warn_of_split(config.output.split_by, list(inputs.scenes.images))
    identity = identify(config, inputs.style_ids)
    folder = Folder(config.output.output)
    check_identity(folder, identity)
    check = check_inputs(config, inputs, wanted_ids(config, list(inputs.scenes.images)))
    classes = read_survey(folder, inputs.mask_sources) if config.wanted_classes else None
    return Prepared(config, inputs, identity, folder, check, classes, start)


def _warn_of_split(rule: str | None, ids: Sequence[str]) -> None:
    """Say so if a rule of globs puts no scene that there is into validation.

    It may be a mistyped share, such as 10% or 0,1, and for Parquet it cannot be changed later.
    """
    if rule is None or share_of(rule) is not None:
        return
    if all(split_of(id, rule) == TRAIN for id in ids):
        log.warning(
            "--split-by %s matches none of %d ids, e.g. %s; a share of them is a number such as "
            "0.1",
            rule,
            len(ids),
            ids[0],
        )


def refuse_other_pairs(job: Prepared, commits: pa.Table) -> None:
    """Check that the pairs of the set were made with the configuration of this job.

    Raises:
        ConfigurationError: some were made with another one.
    """
    if others := len(of_another_identity(commits, identity_hash(job.identity))):
        raise ConfigurationError(
            f"{others} of {len(commits)} pairs in {job.folder.uri} were made with another "
            "configuration, by another job on the same folder. Give another --output"
        )


def plan_pairs(job: Prepared, commits: pa.Table, retry_failed: bool) -> tuple[Plan, Plan]:
    """The plan, and the part of it that is missing, with failed pairs if these are retried."""
    rejections = pairs(rejected(commits))
    replaced = rejections if job.config.quality.replace_rejected else ()
    plan = make_plan(job.config, job.inputs, replaced, job.classes)
    settled = pairs(done(commits)) | rejections if retry_failed else pairs(commits)
    missing = plan.without(settled)
    finished = done(commits)["mask_id"]
    ids = pa.array([scene.id for scene in missing.scenes], pa.string())
    with_results = set(finished.filter(pc.is_in(finished, ids)).to_pylist())
    scenes = [
        replace(scene, has_results=True) if scene.id in with_results else scene
        for scene in missing.scenes
    ]
    return plan, Plan(scenes)


def record_plan(job: Prepared, plan: Plan) -> None:
    """Write how many pairs there are to be."""
    write_record(job.folder, PLAN, {"pairs": plan.pairs})
