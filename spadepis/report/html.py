"""The report of an image set: a page of HTML that needs nothing but the images beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, StrictUndefined

from spadepis.dataset.storage.folder import Folder
from spadepis.labels import LabelSpace
from spadepis.report.gallery import EXTREMES, SPREAD, choose_pictures, style_thumbnails
from spadepis.report.summary import failure_reasons, rejection_reasons
from spadepis.report.throughput import throughput

TEMPLATE = files("spadepis.report") / "report.html.jinja"
SHOWN_REASONS = 20
VIEWS = (SPREAD, *(name for names in EXTREMES.values() for name in names))
# Of the curve of the throughput, in the units of its drawing.
WIDTH, HEIGHT = 600, 120


def html_report(
    summary: Mapping[str, Any],
    log: pa.Table,
    identity: Mapping[str, Any],
    label_space: LabelSpace,
    folder: Folder,
) -> str:
    """Counts, seconds by stage, throughput, failures by reason, configuration, and some images.

    Ids and messages come from file names and may hold anything; they are escaped. Images are linked
    by relative URLs, those in shards and the styles are part of the page, and label maps get
    their colours in the browser.

    Args:
        summary: what ``summarize`` gives for ``log``.
        log: all pairs of the image set, as ``read_log`` gives them.
        identity: what the image set was made with.
        label_space: gives the colours of the label maps.
        folder: the image set.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    reasons = failure_reasons(log)
    pictures = choose_pictures(folder, log)
    over_time = throughput(log)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        summary=summary,
        identity=identity,
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
    """The points of an SVG polyline, as high and wide as the drawing."""
    highest = max(rates)
    last = len(rates) - 1
    points = (
        f"{WIDTH * index / last:.1f},{HEIGHT * (1 - rate / highest):.1f}"
        for index, rate in enumerate(rates)
    )
    return " ".join(points)


def _colour_tables(label_space: LabelSpace) -> dict[str, str]:
    """The tables of an SVG colour transfer from raw label values to colours, by channel."""
    colours = np.zeros((256, 3))
    colours[list(label_space.raw_values)] = label_space.colours / 255
    return {
        channel: " ".join(f"{value:.3g}" for value in column)
        for channel, column in zip("RGB", colours.T, strict=True)
    }
