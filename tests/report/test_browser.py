"""The report in a browser, on a desktop and on a phone, in light and dark, and by keyboard."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.layout import REPORT
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.report.html import html_report
from spadepis.report.summary import summarize
from tests.support.browser import CHROMIUM, Page, open_browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

DESKTOP, PHONE = (1400, 900), (390, 844)
SCENES, STYLES = 12, ("dusk", "fog")
# Upright, so that the dialog of a small screen cannot hold four of them.
HEIGHT, WIDTH = 96, 48
SECONDS = {"read": 0.0123, "synthesize": 1.234, "stylize": 12.345, "smooth": 0.123, "write": 0.001}
REASON = "a long reason with/a/path/that/goes/on/and/on/without/a/space/to/break/the/line.png"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a set with everything that a report can show."""
    root = tmp_path_factory.mktemp("set")
    folder = Folder(str(root / "out"))
    writer = ImageSetWriter(folder, "png", 95)
    classes = COCO_STUFF.names[:40]
    label_map = encode_png(
        (np.arange(HEIGHT * WIDTH) // 120).astype(np.uint8).reshape(HEIGHT, WIDTH)
    )
    pairs = []
    for style in STYLES:
        Image.new("RGB", (90, 60), (200, 90, 30)).save(root / f"{style}.png")
    for index in range(SCENES):
        photo = writer.encode(np.full((HEIGHT, WIDTH, 3), 15 * index, np.uint8))
        for style in STYLES:
            commit = Commit(
                f"scene-{index:02d}-with-a-name-that-does-not-end",
                style,
                "m.png",
                str(root / f"{style}.png"),
                height=HEIGHT,
                width=WIDTH,
                classes=list(classes),
                quality={"structure": index / 20, "lab_distance": 3.0},
                seconds=SECONDS,
            )
            pairs.append(Encoded(commit, photo, label_map, photo))
    commits = list(writer.publish(pairs))
    failure = Commit("x", "fog", "x.png", "fog.png", stage="read", error="E", message=REASON)
    rejection = replace(failure, mask_id="y", error="Rejected", message="structure 0.1 < 0.5")
    log = to_table([*commits, failure, rejection])
    identity = {"masks": REASON, "spade_checkpoint_sha256": "f" * 64, "label_space": "coco-stuff"}
    page = html_report(summarize(log), log, identity, COCO_STUFF, folder, {}, ())
    folder.write(REPORT, page.encode())
    return root / "out" / REPORT


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def boxes(page: Page, selector: str) -> list[dict[str, float]]:
    """Where the elements of a selector are on the screen, those that are displayed."""
    found: list[dict[str, float]] = page.evaluate(
        f"""[...document.querySelectorAll({selector!r})].map((e) => e.getBoundingClientRect())
            .filter((box) => box.width).map((box) => box.toJSON())"""
    )
    return found


def is_on_screen(box: dict[str, float], size: tuple[int, int]) -> bool:
    return (
        box["left"] >= 0
        and box["right"] <= size[0]
        and box["top"] >= 0
        and box["bottom"] <= size[1]
    )


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_page_is_read_from_top_to_bottom(
    page: Page, report: Path, size: tuple[int, int]
) -> None:
    page.open(report, *size)
    order = ("h1", ".counts", ".facts", "#images", "#classes", "#stages", "#rejected", "#failures")
    tops = [boxes(page, selector)[0]["top"] for selector in (*order, "#configuration")]
    assert tops == sorted(tops)
    assert page.evaluate("document.title") == "out: 24 images of 12 scenes"
    # Pictures are on the first screen, and nobody has to scroll sideways.
    assert sum(is_on_screen(box, size) for box in boxes(page, ".gallery img")) >= 2
    page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_desktop_shows_rows_of_pictures_on_the_first_screen(page: Page, report: Path) -> None:
    page.open(report, *DESKTOP)
    assert sum(is_on_screen(box, DESKTOP) for box in boxes(page, ".gallery img")) >= 12


def test_a_phone_shows_two_columns_and_stages_in_single_lines(page: Page, report: Path) -> None:
    page.open(report, *PHONE)
    lefts = {box["left"] for box in boxes(page, ".gallery a")}
    assert len(lefts) == 2
    rows = boxes(page, "#stages tr")
    assert len(rows) == len(SECONDS) + 1
    assert max(row["height"] for row in rows) < 1.5 * 24 + 2
    assert all(box["right"] <= PHONE[0] for box in boxes(page, "#stages td, #stages .bar div"))


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_dialog_can_be_closed_wherever_it_is_scrolled_to(
    page: Page, report: Path, size: tuple[int, int]
) -> None:
    page.open(report, *size)
    page.evaluate("document.querySelector('.gallery a').click()")
    for _ in ("at the top", "at the bottom"):
        (close,) = boxes(page, "dialog .close")
        assert is_on_screen(close, size)
        x, y = close["left"] + close["width"] / 2, close["top"] + close["height"] / 2
        assert page.evaluate(f"document.elementFromPoint({x}, {y}).textContent") == "Close"
        page.evaluate("document.querySelector('dialog').scrollTop = 1e6")
    panes = page.evaluate("[...document.querySelectorAll('figure img')].map((each) => each.alt)")
    title = page.evaluate("document.querySelector('dialog h2').textContent")
    assert panes == [f"{pane} of {title}" for pane in ("label map", "content", "style", "result")]
    # The label map is read with the colours and names of its classes.
    assert len(boxes(page, "dialog .legend li")) == 40
    page.evaluate("document.querySelector('dialog .close').click()")
    assert not page.evaluate("document.querySelector('dialog').open")


def focused(page: Page) -> Any:
    return page.evaluate("document.activeElement.title || document.activeElement.textContent")


def test_the_keyboard_reaches_everything(page: Page, report: Path) -> None:
    page.open(report, *DESKTOP)
    titles = page.evaluate("[...document.querySelectorAll('.gallery a')].map((each) => each.title)")
    page.evaluate("document.querySelectorAll('select')[2].focus()")
    page.press("Tab")
    assert focused(page) == titles[0]
    page.press("ArrowRight")
    page.press("ArrowRight")
    page.press("ArrowLeft")
    assert focused(page) == titles[1]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.press("Enter")
    heading = "document.querySelector('dialog[open] h2')?.textContent"
    assert page.evaluate(heading) == titles[1]
    assert focused(page) == "Close"
    page.press("ArrowRight")
    assert page.evaluate(heading) == titles[2]
    for _ in range(3):
        page.press("ArrowLeft")
    # The last one comes before the first one.
    assert page.evaluate(heading) == titles[-1]
    # The dialog tells of its closing a moment after it has closed.
    page.evaluate(
        "void (window.dialogClosed = new Promise((resolve) =>"
        " document.querySelector('dialog').addEventListener('close', () => resolve(true))))"
    )
    page.press("Escape")
    assert page.evaluate("window.dialogClosed")
    assert page.evaluate(heading) is None
    # Whoever goes on from here does so at the picture that was shown last.
    assert focused(page) == titles[-1]


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2 of a colour "rgb(r, g, b)"."""
    channels = np.array([int(part) for part in colour[4:-1].split(",")]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_in_light_and_dark(page: Page, report: Path, scheme: str) -> None:
    page.open(report, *DESKTOP, scheme)
    style = "getComputedStyle(document.querySelector({0!r})).{1}"
    pages = luminance(page.evaluate(style.format("body", "backgroundColor")))
    cards = luminance(page.evaluate(style.format("section", "backgroundColor")))
    assert (pages < 0.5) == (cards < 0.5) == (scheme == "dark")
    for text, ground in (
        ("h1", pages),
        ("dt", pages),
        ("nav a", pages),
        (".bad a", pages),
        ("h2", cards),
        ("section p", cards),
        ("th", cards),
        (".legend small", cards),
    ):
        lightness = luminance(page.evaluate(style.format(text, "color")))
        brighter, darker = max(lightness, ground), min(lightness, ground)
        assert (brighter + 0.05) / (darker + 0.05) >= 4.5, text
