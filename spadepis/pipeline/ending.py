"""The end of a job: the index of its image set, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from spadepis.dataset.image_set.commits import failed
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import CARD, MANIFEST, REPORT
from spadepis.dataset.image_set.records import DamagedFileError, read_record
from spadepis.labels.training import TrainingLabels
from spadepis.pipeline.config.identity import CHECKPOINTS
from spadepis.pipeline.config.kept_command import run_starts
from spadepis.pipeline.planning.preparation import Prepared
from spadepis.report.card import dataset_card
from spadepis.report.html import html_report
from spadepis.report.summary import summarize, summary_text, versions

COMPLETE = 0
INCOMPLETE = 1
TOO_MANY_FAILED = 3


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


def write_set_index(job: Prepared, commits: pa.Table) -> Outcome:
    """Write the index of an image set, with its card and report, and return how the job ended."""
    summary = summarize(commits)
    labels = TrainingLabels.of(job.config.label_space)
    split_by = job.config.output.split_by
    manifest = {
        "status": _status(job, commits),
        "split_by": split_by,
        **summary,
        "configuration": job.identity,
        "label_space": labels.to_manifest(),
        "versions": versions(),
    }
    report = html_report(
        summary,
        commits,
        job.identity,
        job.config.label_space,
        job.folder,
        checkpoints={name: getattr(job.config.networks, name) for name in CHECKPOINTS},
        starts=run_starts(job.folder),
    )
    pages = {CARD: dataset_card(summary, commits, job.identity, labels, split_by), REPORT: report}
    write_index(job.folder, commits, pages, manifest, split_by)
    return outcome_of(job, commits, summary)


def is_current(job: Prepared, commits: pa.Table) -> bool:
    """Whether the index of a finished set is as this run would write it."""
    try:
        manifest = read_record(job.folder, MANIFEST)
    except DamagedFileError:
        return False
    wanted = {"status": _status(job, commits), "split_by": job.config.output.split_by}
    return {name: manifest.get(name) for name in wanted} == wanted


def outcome_of(
    job: Prepared, commits: pa.Table, summary: Mapping[str, Any] | None = None
) -> Outcome:
    """How the job of an image set ended: complete, or with too many failed pairs."""
    status = COMPLETE if _is_complete(job, commits) else TOO_MANY_FAILED
    text = summary_text(
        summary or summarize(commits), commits, job.folder.uri, job.config.output.split_by
    )
    return Outcome(status, f"{text}\nreport: {job.folder.uri_of(REPORT)}")


def _status(job: Prepared, commits: pa.Table) -> str:
    return "complete" if _is_complete(job, commits) else "too many failed pairs"


def _is_complete(job: Prepared, commits: pa.Table) -> bool:
    failures = failed(commits)
    count, total = len(failures), len(commits)
    if job.config.styles.pairing == "match":
        # A scene that fails before styles are chosen is one row.
        others = failures["style_id"].null_count * (job.config.styles.styles_per_mask - 1)
        count, total = count + others, total + others
    return bool(count <= job.config.quality.max_failed_fraction * total)
