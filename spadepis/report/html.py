"""The report of an image set: an HTML page that needs nothing but the images beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, StrictUndefined

from spadepis.dataset.image_set.commits import done
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import LabelSpace
from spadepis.report.gallery import make_gallery, style_thumbnails
from spadepis.report.heading import facts
from spadepis.report.pictures import VIEWS
from spadepis.report.settings import shown
from spadepis.report.summary import failure_reasons, rejection_reasons, revisions_text
from spadepis.report.throughput import measure_throughput

TEMPLATE = files("spadepis.report") / "report.html.jinja"
SHOWN_REASONS = 20
# More classes are shown on demand.
LEGEND_SIZE = 24
# Size of the drawing of the throughput, in its own units.
WIDTH, HEIGHT = 600, 120


@dataclass(frozen=True)
class LegendEntry:
    """A class that images of a set have.

    Attributes:
        name: its name.
        colour: its colour, six hexadecimal digits.
        images: number of images whose label map has it.
    """

    name: str
    colour: str
    images: int


def html_report(
    summary: Mapping[str, Any],
    log: pa.Table,
    identity: Mapping[str, Any],
    label_space: LabelSpace,
    folder: Folder,
    checkpoints: Mapping[str, str | None],
    starts: Sequence[datetime],
) -> str:
    """What an image set is, some of its images, and figures of the job that made it.

    Ids and messages come from file names and may contain anything, so that they are escaped.
    Images that are files are linked by relative URLs; images in shards, and styles, are part of
    the page. Label maps get their colours in the browser.

    Args:
        summary: what ``summarize`` returns for ``log``.
        log: all pairs of the image set, as ``read_log`` returns them.
        identity: the settings that the image set was made with.
        label_space: label space of the label maps.
        folder: the image set.
        checkpoints: paths or URIs of the weights, by the names of their settings.
        starts: when the runs of the job began, as far as that is known.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    reasons = failure_reasons(log)
    pictures = make_gallery(folder, log)
    over_time = measure_throughput(log, starts)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=folder.uri.rstrip("/").rpartition("/")[2],
        facts=facts(log, identity, checkpoints),
        summary=summary,
        identity=shown(identity),
        revisions=revisions_text(summary) if len(summary["revisions"]) > 1 else None,
        total_seconds=sum(summary["seconds_per_image"].values()),
        throughput=over_time,
        curve=_curve(over_time.images_a_minute) if over_time else "",
        drawing=(WIDTH, HEIGHT),
        pictures=pictures,
        views=[view for view in VIEWS if any(view in picture.shown_as for picture in pictures)],
        thumbnails=style_thumbnails(log, pictures),
        legend=_legend(log, label_space),
        legend_size=LEGEND_SIZE,
        rejections=rejection_reasons(log),
        reasons=reasons[:SHOWN_REASONS],
        more_reasons=len(reasons[SHOWN_REASONS:]),
        colour_tables=_colour_tables(label_space),
    )


def _curve(rates: Sequence[float]) -> str:
    """The points of an SVG polyline that fills the drawing, with a step for each interval."""
    points = (
        f"{WIDTH * edge / len(rates):.1f},{HEIGHT * (1 - rate / max(rates)):.1f}"
        for index, rate in enumerate(rates)
        for edge in (index, index + 1)
    )
    return " ".join(points)


def _legend(log: pa.Table, label_space: LabelSpace) -> list[LegendEntry]:
    """The classes that images have, those of the most images first."""
    finished = done(log)
    colours = dict(zip(label_space.names, label_space.colours, strict=True))
    counts = pc.value_counts(pc.list_flatten(finished["classes"])).to_pylist()
    return [
        LegendEntry(each["values"], bytes(colours[each["values"]]).hex(), each["counts"])
        for each in sorted(counts, key=lambda each: -each["counts"])
        if each["values"] in colours
    ]


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
