"""The report of an image set: a page of HTML that needs nothing but the images beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, StrictUndefined

from spadepis.dataset.commit_log import done, to_commits
from spadepis.labels import LabelSpace
from spadepis.pipeline.report import failure_reasons

TEMPLATE = files("spadepis.pipeline") / "report.html.jinja"
# However large the set is, the page stays small.
SHOWN_IMAGES = 60
SHOWN_REASONS = 20


@dataclass(frozen=True)
class Picture:
    """One result in the gallery.

    Attributes:
        mask_id: id of the label map or photo.
        style_id: id of the style, if there is one.
        result: URL of the result, relative to the page, as are the others.
        label_map: URL of its label map, if there is one.
        content: URL of the photo before stylization, if it is kept.
    """

    mask_id: str
    style_id: str | None
    result: str
    label_map: str | None
    content: str | None


def html_report(
    summary: Mapping[str, Any],
    log: pa.Table,
    identity: Mapping[str, Any],
    label_space: LabelSpace,
) -> str:
    """Counts, seconds by stage, failures by reason, the configuration, and some of the images.

    Ids and messages come from file names and may hold anything; they are escaped. Images are linked
    by relative URLs, and label maps get their colours in the browser.

    Args:
        summary: what ``summarize`` gives for ``log``.
        log: all pairs of the image set, as ``read_log`` gives them.
        identity: what the image set was made with.
        label_space: gives the colours of the label maps.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    reasons = failure_reasons(log)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        summary=summary,
        identity=identity,
        pictures=_gallery(done(log)),
        reasons=reasons[:SHOWN_REASONS],
        more_reasons=len(reasons[SHOWN_REASONS:]),
        colour_tables=_colour_tables(label_space),
    )


def _gallery(finished: pa.Table) -> list[Picture]:
    """At most ``SHOWN_IMAGES`` results, spread evenly over all; a page cannot link into shards."""
    finished = finished.filter(pc.invert(pc.match_substring(finished["file_name"], "#")))
    count = min(len(finished), SHOWN_IMAGES)
    rows = [index * len(finished) // count for index in range(count)]
    chosen = to_commits(finished.take(pa.array(rows, pa.int64())))
    return [
        Picture(
            commit.mask_id,
            commit.style_id,
            quote(commit.file_name or ""),
            _url(commit.mask_file_name),
            _url(commit.content_file_name),
        )
        for commit in chosen
    ]


def _url(file_name: str | None) -> str | None:
    # File names hold percent signs of their own, see ``names.safe_name``.
    return None if file_name is None else quote(file_name)


def _colour_tables(label_space: LabelSpace) -> dict[str, str]:
    """The tables of an SVG colour transfer from raw label values to colours, by channel."""
    colours = np.zeros((256, 3))
    colours[list(label_space.raw_values)] = label_space.colours / 255
    return {
        channel: " ".join(f"{value:.3g}" for value in column)
        for channel, column in zip("RGB", colours.T, strict=True)
    }
