"""The report: what it says, that ids stay text in it, and that its links lead somewhere."""

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from spadepis.dataset.commit_log import Commit, to_table
from spadepis.dataset.folder import Folder
from spadepis.dataset.images import encode_png
from spadepis.dataset.writer import Encoded, ImageSetWriter
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.html_report import SHOWN_IMAGES, SHOWN_REASONS, html_report
from spadepis.pipeline.report import summarize

HOSTILE = [
    "<script>alert(1)</script>",
    "\"quoted\" onerror='x'",
    "line\nbreak",
    "a/b?c#d%41&amp;",
    "{{ 7 * 7 }}",
    "夜 é",
]
IDENTITY = {"job": "synthesize_and_stylize", "masks": "/data/<b>masks</b>", "instances": None}


class Page(HTMLParser):
    """Elements with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def gallery(self) -> list[dict[str, str | None]]:
        return [link for link in self.all("a") if "data-result" in link]


def report(commits: Sequence[Commit]) -> str:
    log = to_table(commits)
    return html_report(summarize(log), log, IDENTITY, COCO_STUFF)


def done(mask_id: str) -> Commit:
    seconds = {"read": 0.25, "synthesize": 1.5}
    return Commit(mask_id, "s", "m", "s", file_name=f"images/{mask_id}.jpg", seconds=seconds)


def failed(mask_id: str, message: str) -> Commit:
    source = f"{mask_id}.png"
    message = f"{source}: {message}"
    return Commit(mask_id, "s", source, "s", stage="read", source=source, message=message)


@pytest.fixture
def hostile(tmp_path: Path) -> list[Commit]:
    """An image set in ``tmp_path`` whose ids hold what file names may hold."""
    writer = ImageSetWriter(Folder(str(tmp_path)), "png", 95)
    photo = writer.encode(np.zeros((4, 6, 3), np.uint8))
    label_map = encode_png(np.zeros((4, 6), np.uint8))
    return writer.publish(
        [Encoded(Commit(id, id, id, id), photo, label_map, photo) for id in HOSTILE]
    )


def test_links_are_relative_and_lead_to_the_files(hostile: list[Commit], tmp_path: Path) -> None:
    page = Page(report(hostile))
    assert len(page.gallery) == len(hostile)
    for link, commit in zip(page.gallery, hostile, strict=True):
        assert link["href"] == link["data-result"]
        for attribute, file_name in (
            ("data-result", commit.file_name),
            ("data-label-map", commit.mask_file_name),
            ("data-content", commit.content_file_name),
        ):
            url = link[attribute]
            assert url is not None
            assert not set(url) & set("?#\\ ") and not url.startswith("/")
            assert unquote(url) == file_name
            assert (tmp_path / unquote(url)).is_file()
    assert [image["src"] for image in page.all("img") if "src" in image] == [
        link["href"] for link in page.gallery
    ]


def test_ids_and_messages_are_text(hostile: list[Commit]) -> None:
    plain = Page(report([done(str(i)) for i in range(len(HOSTILE))] + [failed("a", "b")]))
    commits = hostile + [failed(id, HOSTILE[0]) for id in HOSTILE[:1]]
    page = Page(report(commits))
    assert len(page.all("script")) == len(plain.all("script")) == 1
    assert [name for name, _ in page.elements].count("b") == 0
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert [link["title"] for link in page.gallery] == [
        f"{id} in the style of {id}" for id in HOSTILE
    ]
    for id in HOSTILE:
        assert id in page.text
    assert "/data/<b>masks</b>" in page.text


def test_it_says_what_was_made_how_fast_and_what_failed() -> None:
    commits = [done("a"), done("b"), failed("c", "not an image"), failed("d", "not an image")]
    page = Page(report([*commits, failed("e", "cannot be read")]))
    words = " ".join(page.text.split())
    assert "2 images 2 scenes 3 failed pairs 1.75 seconds per image" in words
    assert "read 0.250 synthesize 1.500" in words
    assert "2 read not an image c.png 1 read cannot be read e.png" in words
    assert "job synthesize_and_stylize" in words
    widths = [bar["style"] for bar in page.all("div") if "width" in (bar.get("style") or "")]
    assert widths == ["width: 16.7%", "width: 100.0%"]


def test_nothing_is_loaded_from_elsewhere(hostile: list[Commit]) -> None:
    html = report(hostile)
    assert "http" not in html
    assert not Page(html).all("link")


def test_a_large_set_has_a_small_report() -> None:
    commits = [done(f"{i:06d}") for i in range(20_000)]
    commits += [failed(f"x{i}", f"reason {i} {'long' * 1000}") for i in range(1000)]
    html = report(commits)
    page = Page(html)
    assert len(page.gallery) == SHOWN_IMAGES
    shown = [int((link["title"] or "").split()[0]) for link in page.gallery]
    assert shown == sorted(set(shown)) and shown[-1] > 19_000
    assert f"And {1000 - SHOWN_REASONS} other reasons" in page.text
    assert len(html) < 100_000


def test_a_set_without_any_image() -> None:
    page = Page(report([failed("a", "not an image")]))
    assert "not an image" in page.text
    assert page.gallery == []


def test_colours_of_label_maps_are_those_of_the_label_space() -> None:
    page = Page(report([done("a")]))
    tables = [
        [round(255 * float(value)) for value in (page_table["tablevalues"] or "").split()]
        for channel in "rgb"
        for page_table in page.all(f"fefunc{channel}")
    ]
    raw = COCO_STUFF.encode(np.arange(COCO_STUFF.num_classes)[None])[0]
    np.testing.assert_array_equal(np.array(tables).T[raw], COCO_STUFF.colours)
