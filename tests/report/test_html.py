"""The report: what it says, that ids stay text in it, and that its links lead somewhere."""

import base64
import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from spadepis.checkpoints.defaults import DEFAULT_SPADE_CHECKPOINT
from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.report.html import LEGEND_SIZE, SHOWN_REASONS, html_report
from spadepis.report.pictures import EXTREME_IMAGES, SPREAD, SPREAD_IMAGES
from spadepis.report.summary import summarize
from spadepis.report.throughput import measure_throughput

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


def report(
    commits: Sequence[Commit],
    folder: str = "memory://none",
    starts: Sequence[datetime] = (),
    **identity: Any,
) -> str:
    log = to_table(commits)
    settings = IDENTITY | identity
    checkpoints = {"spade_checkpoint": "/weights/ade20k_pretrained/latest_net_G.pth"}
    return html_report(
        summarize(log), log, settings, COCO_STUFF, Folder(folder), checkpoints, starts
    )


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
    assert "none 2 images of 2 scenes, 3 failed " in words
    assert "read 0.250 14 % synthesize 1.500 86 % total 1.750" in words
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
    assert len(page.gallery) == SPREAD_IMAGES
    shown = [int((link["title"] or "").split()[0]) for link in page.gallery]
    assert shown == sorted(set(shown)) and shown[-1] > 19_000
    assert f"There are {1000 - SHOWN_REASONS} more reasons" in page.text
    assert len(html) < 100_000


def test_a_set_without_any_image() -> None:
    page = Page(report([failed("a", "not an image")]))
    assert "not an image" in page.text
    assert page.gallery == []


def assessed(mask_id: str, style_id: str, figure: float, **more: Any) -> Commit:
    commit = Commit(mask_id, style_id, "m", f"{style_id}.png", file_name=f"images/{mask_id}.jpg")
    return replace(commit, quality={"structure": figure, "lab_distance": 1 - figure}, **more)


def test_the_best_and_the_worst_of_the_whole_set_are_shown() -> None:
    order = np.random.default_rng(0).permutation(5000)
    commits = [assessed(f"{i:04d}", "s", float(figure) / 5000) for i, figure in enumerate(order)]
    page = Page(report(commits))
    for name, places in {
        "least structure kept": range(EXTREME_IMAGES),
        "most structure kept": range(4999, 4999 - EXTREME_IMAGES, -1),
        "farthest from the style": range(EXTREME_IMAGES),
    }.items():
        shown = {
            str(link["title"])[:4]
            for link in page.gallery
            if name in json.loads(str(link["data-shown-as"]))
        }
        assert shown == {f"{list(order).index(place):04d}" for place in places}
    assert 2 * EXTREME_IMAGES <= len(page.gallery) - SPREAD_IMAGES <= 4 * EXTREME_IMAGES


@pytest.mark.parametrize("scenes", [24, 48, 1200])
def test_every_style_is_among_the_images_spread_over_the_set(scenes: int) -> None:
    styles = [f"style{i}" for i in range(4)]
    pairs = [assessed(f"{i:04d}", style, 0.5) for i in range(scenes) for style in styles]
    shown = [
        str(link["data-styles"])
        for link in Page(report(pairs)).gallery
        if SPREAD in json.loads(str(link["data-shown-as"]))
    ]
    assert len(shown) == SPREAD_IMAGES
    assert all(shown.count(f'["{style}"]') >= 5 for style in styles)


def test_views_are_those_that_show_something() -> None:
    extremes = ("structure kept", "the style")
    for commits, expected in (([done("a")], False), ([assessed("a", "s", 0.5)], True)):
        text = Page(report(commits)).text
        assert "spread over the set" in text
        assert [extreme in text for extreme in extremes] == [expected, expected]


def test_the_best_and_the_worst_are_in_order() -> None:
    commits = [assessed(str(i), "s", figure) for i, figure in enumerate((0.5, 0.9, 0.1))]
    places = {
        str(link["data-figures"]).split(",")[0]: json.loads(str(link["data-shown-as"]))
        for link in Page(report(commits)).gallery
    }
    for name, figures in (
        ("least structure kept", (0.1, 0.5, 0.9)),
        ("most structure kept", (0.9, 0.5, 0.1)),
    ):
        assert [places[f"structure {figure:.3f}"][name] for figure in figures] == [0, 1, 2]


def test_images_can_be_filtered_by_class_and_style() -> None:
    commits = [
        assessed("a", "dusk", 0.5, classes=["car", HOSTILE[1]]),
        assessed("b", "fog", 0.25, classes=["sea"]),
    ]
    page = Page(report(commits))
    filters = [select["data-filter"] for select in page.all("select")]
    assert filters == ["shownAs", "classes", "styles"]
    for text in ("car", "sea", "dusk", "fog"):
        assert text in page.text.split()
    links = page.gallery
    assert [json.loads(str(link["data-classes"])) for link in links] == [
        ["car", HOSTILE[1]],
        ["sea"],
    ]
    assert [json.loads(str(link["data-styles"])) for link in links] == [["dusk"], ["fog"]]
    assert links[0]["data-figures"] == "structure 0.500, lab_distance 0.500"


def test_styles_are_part_of_the_page_while_they_can_be_read(tmp_path: Path) -> None:
    style = tmp_path / "dusk.png"
    Image.new("RGB", (900, 600), (250, 120, 30)).save(style)
    commits = [
        replace(done("a"), style_id="dusk", style_source=str(style)),
        replace(done("b"), style_id="gone", style_source=str(tmp_path / "gone.png")),
    ]
    html = report(commits)
    page = Page(html)
    assert [link.get("data-style") for link in page.gallery] == ["dusk", None]
    assert ["data-unreadable-style" in link for link in page.gallery] == [False, True]
    (thumbnails,) = re.findall(r"const thumbnails = new Map\((.*)\);", html)
    ((id, url),) = json.loads(thumbnails)
    assert id == "dusk"
    picture = decoded(url)
    assert picture.size == (256, 171)
    np.testing.assert_allclose(np.asarray(picture)[5, 5], (250, 120, 30), atol=4)


def test_images_in_shards_are_part_of_the_page(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    label_map = np.arange(4 * 6, dtype=np.uint8).reshape(4, 6)
    photo = np.full((4, 6, 3), 77, np.uint8)
    writer = ImageSetWriter(folder, "png", 95, in_shards=True)
    encoded = Encoded(Commit("a", "s", "m", "s"), writer.encode(photo), encode_png(label_map), None)
    (link,) = Page(report(writer.publish([encoded]), folder.uri)).gallery
    np.testing.assert_array_equal(decoded(str(link["data-label-map"])), label_map)
    assert decoded(str(link["data-result"])).getpixel((2, 2)) == (77, 77, 77)
    assert "data-content" not in link


def test_it_begins_with_what_the_set_is() -> None:
    committed = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
    sizes = {"a": (64, 32), "b": (32, 32)}
    commits = [
        replace(done(id), width=width, height=height, style_id=f"of {id}", committed=committed)
        for id, (width, height) in sizes.items()
    ]
    settings: dict[str, Any] = {
        "label_space": "coco-stuff",
        "pairing": "match",
        "styles_per_mask": 1,
    }
    made = "label space coco-stuff size 2 sizes, 32x32 to 64x32 "
    made += "styles 2, 1 for each scene, matched to it made 2026-01-01 12:30 UTC "
    (shipped, other) = hashlib.sha256(Path(DEFAULT_SPADE_CHECKPOINT).read_bytes()), "f" * 64
    for spade, photowct, weights in (
        (None, shipped.hexdigest(), "weights the small ones that come with spadepis"),
        (
            other,
            shipped.hexdigest(),
            "SPADE weights ade20k_pretrained/latest_net_G.pth (SHA-256 ffffffffffff…) "
            "PhotoWCT weights the small ones that come with spadepis",
        ),
    ):
        settings |= {"spade_checkpoint_sha256": spade, "photowct_checkpoint_sha256": photowct}
        page = Page(report(commits, starts=[committed - timedelta(minutes=1)], **settings))
        assert made + weights in " ".join(page.text.split())
    parts = [section.get("id") for section in page.all("section")]
    assert parts == ["images", "throughput", "stages"]


def test_the_legend_has_the_colours_of_the_classes() -> None:
    names = ["car", "road", "sea"]
    commits = [assessed(str(i), "s", 0.5, classes=names[: i + 1]) for i in range(3)]
    page = Page(report([*commits, assessed("x", "s", 0.5, classes=["a class of another version"])]))
    assert "car 3 road 2 sea 1" in " ".join(page.text.split())
    assert [entry["data-class"] for entry in page.all("li")] == names
    colours = COCO_STUFF.colours[[COCO_STUFF.names.index(name) for name in names]]
    expected = [f"background: #{bytes(colour).hex()}" for colour in colours]
    assert [swatch["style"] for swatch in page.all("i")] == expected
    many = [assessed("a", "s", 0.5, classes=list(COCO_STUFF.names))]
    assert f"{COCO_STUFF.num_classes - LEGEND_SIZE} more classes" in Page(report(many)).text


def test_every_picture_says_what_it_is(hostile: list[Commit]) -> None:
    page = Page(report(hostile))
    shown = [image["alt"] for image in page.all("img") if "src" in image]
    assert shown == [link["title"] for link in page.gallery]


def test_throughput_over_time_shows_a_pause() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(seconds=s) for s in [*range(60), *range(240, 300)]]
    commits = [replace(done(str(i)), committed=time) for i, time in enumerate(times)]
    over_time = measure_throughput(to_table(commits))
    assert over_time is not None
    assert over_time.minutes == pytest.approx(299 / 60)
    assert sum(over_time.images_a_minute) * over_time.minutes / 24 == pytest.approx(120)
    assert over_time.images_a_minute[12] == 0 < over_time.images_a_minute[2]
    page = Page(report(commits))
    words = " ".join(page.text.split())
    assert "1,445 images an hour 120 images in 5.0 minutes, counted from the first image" in words
    assert "2026-01-01 00:00:00 to 2026-01-01 00:04:59 UTC" in words
    assert "0 min 5.0 min" in words
    (line,) = page.all("polyline")
    assert len(str(line["points"]).split()) == 2 * 24
    assert (
        measure_throughput(to_table(commits[:1]))
        is None
        is measure_throughput(to_table([done("a")]))
    )


def test_throughput_counts_from_the_start_of_each_run() -> None:
    first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    times = [first + timedelta(seconds=s) for s in (60, 61)]
    # Within a run, a long time without images counts.
    times += [second + timedelta(seconds=s) for s in (30, 3600)]
    commits = [replace(done(str(i)), committed=time) for i, time in enumerate(times)]
    # A run that made nothing takes no time of those that did.
    starts = [second + timedelta(hours=2), second, first]
    over_time = measure_throughput(to_table(commits), starts)
    assert over_time is not None and over_time.start == first and over_time.from_start_of_job
    assert over_time.minutes == pytest.approx((61 + 3600) / 60)
    assert over_time.images_an_hour == pytest.approx(4 * 3600 / 3661)
    page = Page(report(commits, starts=starts))
    words = " ".join(page.text.split())
    assert "4 images an hour 4 images in 61.0 minutes, counted from the start of the job" in words
    # So few images make no curve.
    assert not page.all("polyline")


def test_runs_before_starts_were_kept_are_told_apart_by_gaps() -> None:
    first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    times = [first, first + timedelta(seconds=60), second - timedelta(hours=1)]
    times += [second + timedelta(seconds=60)]
    commits = [replace(done(str(i)), committed=time) for i, time in enumerate(times)]
    over_time = measure_throughput(to_table(commits), [second])
    assert over_time is not None and not over_time.from_start_of_job
    assert over_time.minutes == pytest.approx(2)


def test_hours_between_two_runs_are_no_part_of_the_throughput() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(seconds=s) for s in [*range(60), *range(86_400, 86_460)]]
    commits = [replace(done(str(i)), committed=time) for i, time in enumerate(times)]
    over_time = measure_throughput(to_table(commits))
    assert over_time is not None and over_time.end - over_time.start > timedelta(days=1)
    assert over_time.minutes == pytest.approx(118 / 60)
    assert min(over_time.images_a_minute) > 40


def test_rejections_are_counted_by_threshold() -> None:
    messages = ["structure 0.31 < 0.5", "structure 0.4 < 0.5, clipped 0.3 > 0.2"]
    rejected = [
        replace(failed(f"r{i}", ""), error="Rejected", message=message)
        for i, message in enumerate(messages)
    ]
    page = Page(report([done("a"), *rejected, failed("b", "bad")]))
    words = " ".join(page.text.split())
    assert "1 images of 1 scenes, 1 failed , 2 rejected " in words
    assert "2 structure < 0.5 1 clipped > 0.2" in words


def decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2])))


def test_colours_of_label_maps_are_those_of_the_label_space() -> None:
    page = Page(report([done("a")]))
    tables = [
        [round(255 * float(value)) for value in (page_table["tablevalues"] or "").split()]
        for channel in "rgb"
        for page_table in page.all(f"fefunc{channel}")
    ]
    raw = COCO_STUFF.encode(np.arange(COCO_STUFF.num_classes)[None])[0]
    np.testing.assert_array_equal(np.array(tables).T[raw], COCO_STUFF.colours)
