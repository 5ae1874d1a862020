"""The report of an image set: an HTML page that needs nothing but the images beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, StrictUndefined

from spadepis.dataset.storage.folder import Folder
from spadepis.labels import LabelSpace
from spadepis.report.gallery import make_gallery, style_thumbnails
from spadepis.report.pictures import VIEWS
from spadepis.report.summary import failure_reasons, rejection_reasons, revisions_text
from spadepis.report.throughput import measure_throughput

TEMPLATE = files("spadepis.report") / "report.html.jinja"
SHOWN_REASONS = 20
# Size of the drawing of the throughput, in its own units.
WIDTH, HEIGHT = 600, 120


def html_report(
    summary: Mapping[str, Any],
    log: pa.Table,
    identity: Mapping[str, Any],
    label_space: LabelSpace,
    folder: Folder,
) -> str:
    """Counts, seconds by stage, throughput, failures by reason, configuration, and some images.

    Ids and messages come from file names and may contain anything, so that they are escaped.
    Images that are files are linked by relative URLs; images in shards, and styles, are part of
    the page. Label maps get their colours in the browser.

    Args:
        summary: what ``summarize`` returns for ``log``.
        log: all pairs of the image set, as ``read_log`` returns them.
        identity: the settings that the image set was made with.
        label_space: label space of the label maps.
        folder: the image set.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    reasons = failure_reasons(log)
    pictures = make_gallery(folder, log)
    over_time = measure_throughput(log)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        summary=summary,
        identity=identity,
        revisions=revisions_text(summary) if len(summary["revisions"]) > 1 else None,
        total_seconds=sum(summary["seconds_per_image"].values()),
        throughput=over_time,
        curve=None if over_time is None else _curve(over_time.images_a_minute),
        drawing=(WIDTH, HEIGHT),
        pictures=pictures,
        views=[view for view in VIEWS if any(view in picture.shown_as for picture in pictures)],
        thumbnails=style_thumbnails(log, pictures),
        rejections=rejection_reasons(log),
        reasons=reasons[:SHOWN_REASONS],
        more_reasons=len(reasons[SHOWN_REASONS:]),
        colour_tables=_colour_tables(label_space),
    )


def _curve(rates: Sequence[float]) -> str:
    """The points of an SVG polyline that fills the drawing."""
    highest = max(rates)
    last = len(rates) - 1
    points = (
        f"{WIDTH * index / last:.1f},{HEIGHT * (1 - rate / highest):.1f}"
        for index, rate in enumerate(rates)
    )
    return " ".join(points)


def _colour_tables(label_space: LabelSpace) -> dict[str, str]:
    """For each channel, the table of an SVG filter from label values to colours."""
    colours = np.zeros((256, 3))
    for value, colour in zip(label_space.raw_values, label_space.colours, strict=True):
        if value is not None:
            colours[value] = colour / 255
    return {
        channel: " ".join(f"{value:.3g}" for value in column)
        for channel, column in zip("RGB", colours.T, strict=True)
    }
