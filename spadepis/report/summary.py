"""Counts, times and failures of a job, for the terminal, the manifest and the pages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spadepis import __version__
from spadepis.dataset.image_set.commits import done, failed, rejected, revisions
from spadepis.dataset.image_set.splits import TRAIN, VALIDATION, split_of
from spadepis.report.card import split_words

SHOWN_FAILURES = 5
DEPENDENCIES = ("torch", "numpy", "numba", "ray", "pillow")


@dataclass(frozen=True)
class FailureReason:
    """A reason for which pairs failed, whatever the file.

    Attributes:
        stage: the stage that failed.
        message: what went wrong.
        pairs: how many pairs failed for this reason.
        example: a file that did; the id of a mask if no file is to blame.
    """

    stage: str
    message: str
    pairs: int
    example: str


def summarize(log: pa.Table) -> dict[str, Any]:
    """Counts of pairs, and the seconds of work per image in each stage.

    The stages are those that the rows of the log name, in the order in which they ran.

    Args:
        log: what ``read_log`` returns.
    """
    finished = done(log)
    seconds = finished["seconds"].combine_chunks()
    # The keys and the values of all rows' maps, one after the other.
    spent = pa.table({"stage": _flat(seconds, "keys"), "seconds": _flat(seconds, "items")})
    # Without threads, groups are in the order of their first rows.
    totals = spent.group_by("stage", use_threads=False).aggregate([("seconds", "sum")])
    by_stage = zip(totals["stage"].to_pylist(), totals["seconds_sum"].to_pylist(), strict=True)
    return {
        "pairs": len(log),
        "done": len(finished),
        "failed": len(failed(log)),
        "rejected": len(rejected(log)),
        "scenes": pc.count_distinct(finished["mask_id"]).as_py(),
        "revisions": {str(revision): count for revision, count in revisions(finished).items()},
        "seconds_per_image": {stage: total / len(finished) for stage, total in by_stage},
    }


def failure_reasons(log: pa.Table) -> list[FailureReason]:
    """Why pairs failed, the most frequent reason first."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in failed(log).select(["mask_id", "stage", "source", "message"]).to_pylist():
        message = (row["message"] or "").removeprefix(f"{row['source']}: ")
        alike[row["stage"] or "", message].append(row["source"] or row["mask_id"])
    reasons = [
        FailureReason(stage, message, len(sources), sources[0])
        for (stage, message), sources in alike.items()
    ]
    return sorted(reasons, key=lambda reason: -reason.pairs)


def rejection_reasons(log: pa.Table) -> Mapping[str, int]:
    """How many pairs each threshold rejected, the most frequent first."""
    thresholds: Counter[str] = Counter()
    for message in rejected(log)["message"].to_pylist():
        # The value is different for each pair: "structure 0.41 < 0.5".
        for violation in message.split(", "):
            figure, _, threshold = violation.split(" ", 2)
            thresholds[f"{figure} {threshold}"] += 1
    return dict(thresholds.most_common())


def _flat(maps: pa.Array, part: str) -> pa.Array:
    chunks = maps.chunks if isinstance(maps, pa.ChunkedArray) else [maps]
    return pa.chunked_array(
        [getattr(chunk, part) for chunk in chunks],
        type=pa.string() if part == "keys" else pa.float64(),
    )


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {"spadepis": __version__} | {name: version(name) for name in DEPENDENCIES}


def summary_text(
    summary: Mapping[str, Any], log: pa.Table, uri: str, split_by: str | None = None
) -> str:
    """The summary as text: counts, splits, seconds per image in each stage, failures by reason."""
    lines = [counts_text(summary, uri)]
    if split_by is not None:
        lines.append(split_text(log, split_by))
    return "\n".join([*lines, details_text(summary, log)])


def counts_text(summary: Mapping[str, Any], uri: str) -> str:
    """How many images there are and how many pairs failed, in a line."""
    rejected = f", {summary['rejected']} rejected" if summary["rejected"] else ""
    return (
        f"{summary['done']} images of {summary['scenes']} scenes in {uri}, "
        f"{summary['failed']} failed{rejected}"
    )


def split_text(log: pa.Table, split_by: str) -> str:
    """How many scenes each split has, in a line, with what helps if one has none."""
    scenes = done(log)["mask_id"].unique().to_pylist()
    counts = Counter(split_of(id, split_by) for id in scenes)
    shown = {0: "none", 1: "1 scene"}
    train, validation = (
        shown.get(counts[split], f"{counts[split]:,} scenes") for split in (TRAIN, VALIDATION)
    )
    text = f"split: {train} train, {validation} validation"
    if not scenes or (counts[TRAIN] and counts[VALIDATION]):
        return text
    share = "smaller" if counts[VALIDATION] else "larger"
    return f"{text}. Warning: one is empty. Give --split-by a {share} share, or globs of ids"


def details_text(summary: Mapping[str, Any], log: pa.Table) -> str:
    """Seconds per image in each stage, failures by reason, and what else is worth knowing."""
    seconds = summary["seconds_per_image"]
    lines = [
        "worker seconds per image:",
        *(f"  {stage:<10} {seconds[stage]:8.3f}" for stage in seconds),
        f"  {'total':<10} {sum(seconds.values()):8.3f}",
    ]
    if len(summary["revisions"]) > 1:
        lines.append(f"images by pixel revision: {revisions_text(summary)}")
    reasons = failure_reasons(log)
    if reasons:
        lines.append("most frequent failures (all are in failures.parquet):")
        for reason in reasons[:SHOWN_FAILURES]:
            text = f"{reason.pairs} x {reason.stage}: {reason.message}, e.g. {reason.example}"
            lines.append(f"  {_printable(text)}")
    if words := split_words(log):
        shown = ", ".join(f'"{word}"' for word in words)
        splits = "a split" if len(words) == 1 else "splits"
        lines.append(f'load_dataset("imagefolder") would take {shown} in ids for {splits}')
    return "\n".join(lines)


def revisions_text(summary: Mapping[str, Any]) -> str:
    """How many images of a set each pixel revision made."""
    return ", ".join(f"{count} of revision {name}" for name, count in summary["revisions"].items())


def _printable(text: str) -> str:
    """Text without line breaks and control characters, which names of files may contain."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
