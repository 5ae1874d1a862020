"""What a job has done, in figures: for the terminal, the dataset card and the manifest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spadepis.dataset.image_set.commits import done, failed, rejected

STAGES = ("read", "synthesize", "stylize", "smooth", "assess", "write")
SHOWN_FAILURES = 5
VERSIONS = ("spadepis", "torch", "numpy", "numba", "ray", "pillow")
# What the dataset card says about images that are files, and about those in Parquet shards.
FILES = """\
`metadata.parquet` has a row for each image: `file_name`, where there is one the label map of the
same size in `mask_file_name` (values as in the source dataset) and the photo before stylization in
`content_file_name`, and the ids of mask and style. `failures.parquet` has a row for each failed
pair, with the stage, the file and the reason. `report.html` shows some of the images."""
SHARDS = """\
`data/*.parquet` has a row for each image: `image`, where there is one the label map of the same
size in `mask` (values as in the source dataset) and the photo before stylization in `content`, each
a struct of the bytes of a file and its name, and the ids of mask and style. `metadata.parquet` says
where each image is: `data/part-0123.parquet#column=image&row=3`. `failures.parquet` has a row for
each failed pair, with the stage, the file and the reason. `report.html` shows some images."""
# Hugging Face's reader takes this from the head of the card.
SHARDS_ARE_THE_DATA = """\
---
configs:
- config_name: default
  data_files: data/*.parquet
---

"""


@dataclass(frozen=True)
class FailureReason:
    """A reason that pairs failed for, whatever the file.

    Attributes:
        stage: the stage that failed.
        message: what went wrong.
        pairs: how many failed like this.
        example: a file that did, or, where no file is to blame, the id of a mask.
    """

    stage: str
    message: str
    pairs: int
    example: str


def summarize(log: pa.Table) -> dict[str, Any]:
    """Counts of pairs, and the seconds of work per image in each stage.

    Args:
        log: what ``read_log`` gives.
    """
    finished = done(log)
    seconds = finished["seconds"].combine_chunks()
    # All keys and all values of the rows' maps, one behind the other.
    spent = pa.table({"stage": _flat(seconds, "keys"), "seconds": _flat(seconds, "items")})
    totals = spent.group_by("stage").aggregate([("seconds", "sum")])
    by_stage = dict(
        zip(totals["stage"].to_pylist(), totals["seconds_sum"].to_pylist(), strict=True)
    )
    return {
        "pairs": len(log),
        "done": len(finished),
        "failed": len(failed(log)),
        "rejected": len(rejected(log)),
        "scenes": pc.count_distinct(finished["mask_id"]).as_py(),
        "seconds_per_image": {
            stage: by_stage[stage] / len(finished) for stage in STAGES if stage in by_stage
        },
    }


def failure_reasons(log: pa.Table) -> list[FailureReason]:
    """What the failed pairs failed for, the most frequent reason first."""
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
        # What the figure was is different for each pair: "structure 0.41 < 0.5".
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
    """Versions of what results depend on."""
    return {name: version(name) for name in VERSIONS}


def summary_text(summary: Mapping[str, Any], log: pa.Table, uri: str) -> str:
    """The summary for people: counts, seconds per image in each stage, failures by reason."""
    seconds = summary["seconds_per_image"]
    counts = f"{summary['failed']} failed"
    if summary["rejected"]:
        counts += f", {summary['rejected']} rejected"
    lines = [
        f"{summary['done']} images of {summary['scenes']} scenes in {uri}, {counts}",
        "seconds of one worker per image:",
        *(f"  {stage:<10} {seconds[stage]:8.3f}" for stage in seconds),
        f"  {'total':<10} {sum(seconds.values()):8.3f}",
    ]
    reasons = failure_reasons(log)
    if reasons:
        lines.append("most frequent failures (all are in failures.parquet):")
        for reason in reasons[:SHOWN_FAILURES]:
            text = f"{reason.pairs} x {reason.stage}: {reason.message}, e.g. {reason.example}"
            lines.append(f"  {_printable(text)}")
    return "\n".join(lines)


def _printable(text: str) -> str:
    """Text without what would break the line or steer the terminal: a file may have any name."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def dataset_card(summary: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """README of the image set, in Markdown.

    Args:
        summary: what ``summarize`` gives.
        identity: what the image set was made with.
    """
    in_shards = identity["output_format"] == "parquet"
    settings = "\n".join(f"| {name} | {value} |" for name, value in identity.items())
    seconds = "\n".join(
        f"| {stage} | {value:.3f} |" for stage, value in summary["seconds_per_image"].items()
    )
    return f"""{SHARDS_ARE_THE_DATA if in_shards else ""}# Image set

{summary["done"]} images of {summary["scenes"]} scenes; {summary["failed"]} pairs failed,
{summary["rejected"]} were rejected.

{SHARDS if in_shards else FILES}

```python
from spadepis import ImageSet

image, mask = ImageSet("path/of/this/folder")[0]
```

| stage | seconds of one worker per image |
|---|---|
{seconds}

| setting | value |
|---|---|
{settings}
"""
