"""What a job has done, in figures: for the terminal, the dataset card and the manifest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from spadepis.dataset.commit_log import Commit

STAGES = ("read", "synthesize", "stylize", "smooth", "write")
SHOWN_FAILURES = 5
VERSIONS = ("spadepis", "torch", "numpy", "numba", "ray", "pillow")


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


def summarize(commits: Sequence[Commit]) -> dict[str, Any]:
    """Counts of pairs, and the seconds of work per image in each stage."""
    done = [commit for commit in commits if not commit.failed]
    seconds = {
        stage: sum(commit.seconds.get(stage, 0.0) for commit in done) / len(done)
        for stage in STAGES
        if any(stage in commit.seconds for commit in done)
    }
    return {
        "pairs": len(commits),
        "done": len(done),
        "failed": len(commits) - len(done),
        "scenes": len({commit.mask_id for commit in done}),
        "seconds_per_image": seconds,
    }


def failure_reasons(commits: Sequence[Commit]) -> list[FailureReason]:
    """What the failed pairs failed for, the most frequent reason first."""
    alike: dict[tuple[str, str], list[Commit]] = defaultdict(list)
    for commit in commits:
        if commit.failed:
            message = (commit.message or "").removeprefix(f"{commit.source}: ")
            alike[commit.stage or "", message].append(commit)
    reasons = [
        FailureReason(stage, message, len(failed), failed[0].source or failed[0].mask_id)
        for (stage, message), failed in alike.items()
    ]
    return sorted(reasons, key=lambda reason: -reason.pairs)


def versions() -> dict[str, str]:
    """Versions of what results depend on."""
    return {name: version(name) for name in VERSIONS}


def summary_text(summary: Mapping[str, Any], commits: Sequence[Commit], uri: str) -> str:
    """The summary for people: counts, seconds per image in each stage, failures by reason."""
    seconds = summary["seconds_per_image"]
    lines = [
        f"{summary['done']} images of {summary['scenes']} scenes in {uri}, "
        f"{summary['failed']} failed",
        "seconds of one worker per image:",
        *(f"  {stage:<10} {seconds[stage]:8.3f}" for stage in seconds),
        f"  {'total':<10} {sum(seconds.values()):8.3f}",
    ]
    reasons = failure_reasons(commits)
    if reasons:
        lines.append("most frequent failures (all are in failures.parquet):")
        for reason in reasons[:SHOWN_FAILURES]:
            lines.append(
                f"  {reason.pairs} x {reason.stage}: {reason.message}, e.g. {reason.example}"
            )
    return "\n".join(lines)


def dataset_card(summary: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """README of the image set, in Markdown."""
    settings = "\n".join(f"| {name} | {value} |" for name, value in identity.items())
    seconds = "\n".join(
        f"| {stage} | {value:.3f} |" for stage, value in summary["seconds_per_image"].items()
    )
    return f"""# Image set

{summary["done"]} images of {summary["scenes"]} scenes; {summary["failed"]} pairs failed.

`metadata.parquet` has a row for each image: `file_name`, where there is one the label map of the
same size in `mask_file_name` (values as in the source dataset) and the photo before stylization in
`content_file_name`, and the ids of mask and style. `failures.parquet` has a row for each failed
pair, with the stage, the file and the reason. `report.html` shows some of the images.

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
