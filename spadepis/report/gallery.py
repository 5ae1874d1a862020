"""The images that a report shows: spread over the set, and its best and worst."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from spadepis.dataset.image_set.commits import Commit, done, to_commits
from spadepis.dataset.image_set.stored_images import read_image
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.photos import read_photo
from spadepis.dataset.storage.folder import Folder

# However large the set is, the page stays small.
SPREAD_IMAGES = 48
# Images that a page cannot link to, as rows of shards, are part of it.
SPREAD_IMAGES_OF_SHARDS = 24
EXTREME_IMAGES = 6
# The figures that extremes are shown of, and what theirs are called, the lowest values first.
EXTREMES: Mapping[str, tuple[str, str]] = {
    "structure": ("least structure kept", "most structure kept"),
    "lab_distance": ("nearest to the style", "farthest from the style"),
}
SPREAD = "spread over the set"
THUMBNAIL = 256
THUMBNAIL_QUALITY = 80
MOST_STYLE_PIXELS = 80_000_000
# That read styles: of a store that does not answer each takes its time.
THREADS = 8


@dataclass(frozen=True)
class Picture:
    """One result in the gallery.

    Attributes:
        mask_id: id of the label map or photo.
        style_id: id of the style, if there is one.
        result: URL of the result, relative to the page or with the image in it, as are the others.
        label_map: URL of its label map, if there is one.
        content: URL of the photo before stylization, if it is kept.
        classes: in the label map.
        figures: of quality, those that are known.
        shown_as: why it is shown, ``SPREAD`` or names out of ``EXTREMES``, and its place there.
    """

    mask_id: str
    style_id: str | None
    result: str
    label_map: str | None
    content: str | None
    classes: Sequence[str]
    figures: Mapping[str, float]
    shown_as: Mapping[str, int]


def choose_pictures(folder: Folder, log: pa.Table) -> list[Picture]:
    """Some results spread evenly over an image set, and those with the extreme figures.

    Args:
        folder: the image set; read only where its images are rows of shards.
        log: all pairs of the set, as ``read_log`` gives them.
    """
    finished = done(log)
    if not len(finished):
        return []
    in_shards = pc.any(pc.match_substring(finished["file_name"], "#")).as_py()
    count = min(len(finished), SPREAD_IMAGES_OF_SHARDS if in_shards else SPREAD_IMAGES)
    shown: dict[int, dict[str, int]] = {
        row: {SPREAD: place} for place, row in enumerate(_spread_rows(len(finished), count))
    }
    for figure, names in EXTREMES.items():
        for name, order in zip(names, ("ascending", "descending"), strict=True):
            for place, row in enumerate(_first_rows(finished[figure], order)):
                shown.setdefault(row, {})[name] = place
    chosen = to_commits(finished.take(pa.array(shown, pa.int64())))
    return [
        _picture(folder, commit, shown_as)
        for commit, shown_as in zip(chosen, shown.values(), strict=True)
    ]


def style_thumbnails(log: pa.Table, pictures: Sequence[Picture]) -> Mapping[str, str]:
    """The styles of pictures as URLs with a small image in them, by id.

    Styles lie outside of the set: those that cannot be read any more are left out.
    """
    shown = {picture.style_id for picture in pictures if picture.style_id is not None}
    finished = done(log)
    rows = pa.table({"id": finished["style_id"], "source": finished["style_source"]})
    rows = rows.filter(pc.is_in(rows["id"], pa.array(shown, pa.string())))
    sources = dict(zip(rows["id"].to_pylist(), rows["source"].to_pylist(), strict=True))
    with ThreadPoolExecutor(THREADS) as pool:
        thumbnails = dict(zip(sources, pool.map(_style_thumbnail, sources.values()), strict=True))
    return {id: url for id, url in sorted(thumbnails.items()) if url is not None}


def _style_thumbnail(source: str) -> str | None:
    try:
        return _thumbnail(Image.fromarray(read_photo(source, MOST_STYLE_PIXELS)))
    except UnreadableImageError:
        return None


def _spread_rows(rows: int, count: int) -> list[int]:
    """One row out of each of ``count`` equal parts, the same ones each time.

    Which one is random: every n-th row would be of the same style wherever n is a multiple of the
    styles of a scene.
    """
    edges = np.arange(count + 1) * rows // count
    chosen: list[int] = np.random.default_rng(0).integers(edges[:-1], edges[1:]).tolist()
    return chosen


def _first_rows(values: pa.ChunkedArray, order: str) -> list[int]:
    """Indices of the lowest or highest values, those that are known."""
    count = min(EXTREME_IMAGES, len(values) - values.null_count)
    keys = [("value", order)]
    rows: list[int] = pc.select_k_unstable(
        pa.table({"value": values}), k=count, sort_keys=keys
    ).to_pylist()
    return rows


def _picture(folder: Folder, commit: Commit, shown_as: Mapping[str, int]) -> Picture:
    return Picture(
        commit.mask_id,
        commit.style_id,
        _url(folder, commit.file_name) or "",
        _url(folder, commit.mask_file_name),
        _url(folder, commit.content_file_name),
        commit.classes or [],
        {name: value for name, value in commit.quality.items() if value is not None},
        shown_as,
    )


def _url(folder: Folder, file_name: str | None) -> str | None:
    if file_name is None:
        return None
    if "#" not in file_name:
        # File names hold percent signs of their own, see ``layout.safe_name``.
        return quote(file_name)
    image = Image.open(io.BytesIO(read_image(folder, file_name)))
    return _thumbnail(image)


def _thumbnail(image: Image.Image) -> str:
    """A URL that holds the image, shrunk; label maps, which are grey, keep their values."""
    buffer = io.BytesIO()
    if image.mode == "L":
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.NEAREST)
        image.save(buffer, "PNG")
    else:
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
        image.save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    kind = "png" if image.mode == "L" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
