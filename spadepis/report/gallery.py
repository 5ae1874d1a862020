"""The gallery of a report: results with their label maps, contents and styles, as URLs."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from spadepis.dataset.image_set.commits import Commit, done, to_commits
from spadepis.dataset.image_set.stored_images import read_image
from spadepis.dataset.storage.folder import Folder
from spadepis.report.pictures import choose_images, read_style

THUMBNAIL = 256
THUMBNAIL_QUALITY = 80
# Styles are read at the same time, because a store that does not answer takes a while to fail.
THREADS = 8


@dataclass(frozen=True)
class Picture:
    """A result in the gallery.

    A URL is relative to the page, or holds the image itself.

    Attributes:
        mask_id: id of the label map or photo.
        style_id: id of the style, if there is one.
        result: URL of the result.
        label_map: URL of its label map, if there is one.
        content: URL of the photo before stylization, if it is kept.
        classes: names of the classes in the label map.
        figures: the quality metrics that are known, by name.
        shown_as: the views that show it, each with its place there; see ``choose_images``.
    """

    mask_id: str
    style_id: str | None
    result: str
    label_map: str | None
    content: str | None
    classes: Sequence[str]
    figures: Mapping[str, float]
    shown_as: Mapping[str, int]


def make_gallery(folder: Folder, log: pa.Table) -> list[Picture]:
    """The results of an image set that its report shows.

    Args:
        folder: the image set. It is read only if its images are rows of shards.
        log: all pairs of the set, as ``read_log`` returns them.
    """
    finished = done(log)
    shown = choose_images(finished)
    chosen = to_commits(finished.take(pa.array(shown, pa.int64())))
    return [
        _picture(folder, commit, shown_as)
        for commit, shown_as in zip(chosen, shown.values(), strict=True)
    ]


def style_thumbnails(log: pa.Table, pictures: Sequence[Picture]) -> Mapping[str, str]:
    """The styles of pictures by id, each as a URL that holds a small image.

    Styles that can no longer be read are left out.
    """
    shown = {picture.style_id for picture in pictures if picture.style_id is not None}
    finished = done(log)
    rows = pa.table({"id": finished["style_id"], "source": finished["style_source"]})
    rows = rows.filter(pc.is_in(rows["id"], pa.array(shown, pa.string())))
    sources = dict(zip(rows["id"].to_pylist(), rows["source"].to_pylist(), strict=True))
    with ThreadPoolExecutor(THREADS) as pool:
        photos = dict(zip(sources, pool.map(read_style, sources.values()), strict=True))
    return {
        id: _thumbnail(Image.fromarray(photo))
        for id, photo in sorted(photos.items())
        if photo is not None
    }


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
        # File names contain percent signs, see ``layout.safe_name``.
        return quote(file_name)
    image = Image.open(io.BytesIO(read_image(folder, file_name)))
    return _thumbnail(image)


def _thumbnail(image: Image.Image) -> str:
    """A URL that holds a small copy of an image. Label maps, which are grey, keep their values."""
    buffer = io.BytesIO()
    if image.mode == "L":
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.NEAREST)
        image.save(buffer, "PNG")
    else:
        image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
        image.save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    kind = "png" if image.mode == "L" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
