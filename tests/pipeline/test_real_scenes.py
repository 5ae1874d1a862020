"""Matching, figures and the report on real photos with real label maps."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.inputs.label_maps import read_label_map, resize_label_map
from spadepis.dataset.inputs.photos import read_photo
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.labels.related_classes import find_region_labels
from spadepis.matching.descriptors import Descriptor
from spadepis.matching.style_index import StyleIndex
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.describe_styles import DescribeStyles
from spadepis.quality.structure import boundary_disagreement
from spadepis.report.html import html_report
from spadepis.report.summary import summarize

MOST_PIXELS = 10**7
SIDE = 192


@pytest.fixture(scope="module")
def landscapes(shared: Path) -> dict[str, tuple[Path, Path]]:
    """Photo and label map by id."""
    folder = shared / "data" / "landscapes_coco_stuff"
    return {
        photo.stem: (photo, folder / "labels" / f"{photo.stem}.png")
        for photo in sorted((folder / "images").iterdir())
    }


def test_matched_landscapes_share_more_of_their_classes(
    landscapes: dict[str, tuple[Path, Path]],
) -> None:
    ids = list(landscapes)
    regions = find_region_labels(COCO_STUFF, None)
    scenes = [Scene(id, [Style(None, None)], str(map)) for id, (_, map) in landscapes.items()]
    described = DescribeStyles(COCO_STUFF, regions, None, MOST_PIXELS)(scenes)
    shares = np.array([each for _, each in described], np.float32)
    index = StyleIndex(ids, shares, are_shares=True)

    def overlap(one: Descriptor, other: Descriptor) -> float:
        return float(np.minimum(one, other).sum())

    matched, best, others = [], [], []
    for place, id in enumerate(ids):
        (chosen,) = index.choose(shares[place], 1, diversity=0, without=[id])
        matched.append(overlap(shares[place], shares[ids.index(chosen)]))
        rest = [overlap(shares[place], row) for i, row in enumerate(shares) if i != place]
        best.append(max(rest))
        others.append(np.mean(rest))
    np.testing.assert_allclose(matched, best)
    assert np.mean(matched) > np.mean(others) + 0.2


def test_edges_of_photos_are_where_their_label_maps_say(
    landscapes: dict[str, tuple[Path, Path]],
) -> None:
    """A label map tells more of its own photo than of the next one."""
    maps, photos = [], []
    for photo, labels in landscapes.values():
        image = Image.fromarray(read_photo(str(photo), MOST_PIXELS)).resize((SIDE, SIDE))
        photos.append(np.asarray(image))
        raw = read_label_map(str(labels), MOST_PIXELS)
        label_map = COCO_STUFF.decode(resize_label_map(raw, SIDE, SIDE))
        maps.append(label_map.astype(np.uint8))
    own = [boundary_disagreement(*pair) for pair in zip(maps, photos, strict=True)]
    foreign = [
        boundary_disagreement(*pair) for pair in zip(maps, photos[1:] + photos[:1], strict=True)
    ]
    assert np.nanmean(own) < 0.35 < 0.42 < np.nanmean(foreign)


class Links(HTMLParser):
    """The attributes of the images of the gallery."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and "data-result" in dict(attrs):
            self.found.append(dict(attrs))


def test_the_report_of_real_scenes(
    landscapes: dict[str, tuple[Path, Path]], shared: Path, tmp_path: Path
) -> None:
    folder = Folder(str(tmp_path))
    writer = ImageSetWriter(folder, "jpg", 90)
    style = shared / "data" / "styles" / "14_sunset_beach.jpg"
    pairs, classes = [], {}
    for id, (photo, labels) in landscapes.items():
        image = writer.encode(read_photo(str(photo), MOST_PIXELS))
        raw = read_label_map(str(labels), MOST_PIXELS).astype(np.uint8)
        classes[id] = [COCO_STUFF.names[i] for i in np.unique(COCO_STUFF.decode(raw))]
        commit = Commit(id, style.stem, str(labels), str(style), classes=classes[id])
        pairs.append(Encoded(commit, image, encode_png(raw), image))
    log = to_table(writer.publish(pairs))
    html = html_report(summarize(log), log, {"job": "stylize"}, COCO_STUFF, folder, {}, ())
    links = Links(html).found
    assert len(links) == len(landscapes)
    for link in links:
        id = str(link["title"]).partition(" in the style of ")[0]
        assert json.loads(str(link["data-classes"])) == classes[id]
        assert link["data-style"] == style.stem
        for name in ("data-result", "data-label-map", "data-content"):
            assert (tmp_path / str(link[name])).is_file()
