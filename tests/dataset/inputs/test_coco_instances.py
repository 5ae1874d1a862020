"""Instance maps painted from COCO's annotations."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jobs.make_instance_maps import InstanceMapsConfig, make_instance_maps
from spadepis.configuration import ConfigurationError
from spadepis.dataset.inputs.coco_instances import (
    AnnotationError,
    paint_instances,
    polygon_mask,
    read_annotations,
)
from spadepis.labels import instance_edges

SQUARE = [1, 1, 4, 1, 4, 4, 1, 4]


def mask_by_loops(vertices: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Each pixel on its own: the parity of the edges that a ray to the right crosses."""
    mask = np.zeros((height, width), np.bool_)
    for row in range(height):
        for column in range(width):
            for (x, y), (before_x, before_y) in zip(vertices, np.roll(vertices, 1, 0), strict=True):
                if y <= row < before_y or before_y <= row < y:
                    crossing = (before_x - x) * (row - y) / (before_y - y) + x
                    mask[row, column] ^= column < crossing
    return mask


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_a_polygon_holds_the_pixels_whose_centres_lie_in_it(decimals: int) -> None:
    random = np.random.default_rng(decimals)
    covered = 0
    for _ in range(20):
        vertices = random.uniform(-4, 24, (random.integers(3, 9), 2)).round(decimals)
        mask = polygon_mask(vertices, 16, 20)
        np.testing.assert_array_equal(mask, mask_by_loops(vertices, 16, 20))
        covered += mask.sum()
    assert covered > 500


def test_polygons_that_share_an_edge_share_no_pixel() -> None:
    corners = np.array([[2.0, 1.0], [14.0, 1.0], [14.0, 9.0], [2.0, 9.0]])
    for cut in ([0, 2], [1, 3]):
        halves = [corners[np.r_[cut, corner]] for corner in range(4) if corner not in cut]
        counts = sum(polygon_mask(half, 12, 16).astype(int) for half in halves)
        expected = np.zeros((12, 16), int)
        expected[1:9, 2:14] = 1
        np.testing.assert_array_equal(counts, expected)


def test_outside_of_the_image_there_is_nothing_to_paint() -> None:
    for x, y in ((-9, 2), (40, 2), (2, -9), (2, 40)):
        assert not polygon_mask(np.array([[x, y], [x + 5, y], [x, y + 5.0]]), 16, 16).any()
    around = np.array([[-9, -9], [30, -9], [30, 30], [-9, 30.0]])
    assert polygon_mask(around, 16, 16).all()


def test_annotations_are_painted_in_their_order_from_id_0() -> None:
    label_map = np.full((6, 8), 200, np.uint8)
    two_parts = [[3, 3, 6, 3, 6, 5, 3, 5], [7, 1, 9, 1, 9, 2, 7, 2]]
    square_first = label_map.copy()
    square_first[0:3, 0:3] = 0
    square_first[2:4, 2:5] = 1
    square_first[0, 6:8] = 1
    painted = paint_instances(label_map, [[SQUARE], two_parts])
    assert painted.dtype == np.uint8
    np.testing.assert_array_equal(painted, square_first)
    square_last = label_map.copy()
    square_last[2:4, 2:5] = 0
    square_last[0, 6:8] = 0
    square_last[0:3, 0:3] = 1
    np.testing.assert_array_equal(paint_instances(label_map, [two_parts, [SQUARE]]), square_last)
    assert (label_map == 200).all()


def test_many_annotations_take_16_bits() -> None:
    tiny = [[1, 1, 2, 1, 2, 2, 1, 2]]
    label_map = np.zeros((2, 2), np.uint8)
    assert paint_instances(label_map, [tiny] * 256).dtype == np.uint8
    painted = paint_instances(label_map, [tiny] * 300)
    assert painted.dtype == np.uint16
    assert painted.tolist() == [[299, 0], [0, 0]]


def rectangles(mask: NDArray[np.bool_]) -> list[list[float]]:
    """The runs of pixels in the rows of a mask, as COCO would write them."""
    bounds = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(int), axis=1)
    runs = zip(np.argwhere(bounds == 1), np.argwhere(bounds == -1), strict=True)
    half = np.array([-0.5, -0.5, 0.5, -0.5, 0.5, 0.5, -0.5, 0.5])
    return [
        list(half + 1 + np.array([left, row, right - 1, row, right - 1, row, left, row]))
        for (row, left), (_, right) in runs
    ]


@pytest.mark.parametrize("split", ["val", "train"])
def test_published_maps_come_out_of_annotations_that_cover_each_other(
    split: str, shared: Path
) -> None:
    folder = shared / "data/coco_stuff"
    paths = sorted((folder / f"{split}_inst").glob("*.png"))
    assert paths
    for path in paths:
        published = np.asarray(Image.open(path))
        label_map = np.asarray(Image.open(folder / f"{split}_label" / path.name))
        painted = label_map != published
        # Each annotation also covers what later ones have taken from it.
        annotations = [
            rectangles(painted & (published >= number))
            for number in range(published[painted].max() + 1)
        ]
        made = paint_instances(label_map, annotations)
        np.testing.assert_array_equal(made, published)
        edges = instance_edges(made)
        np.testing.assert_array_equal(edges, instance_edges(published))
        assert (edges != instance_edges(label_map)).any()


def write_annotations(path: Path, annotations: list[dict[str, Any]]) -> str:
    images = [{"id": 9, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return str(path)


CROWD = {"id": 3, "image_id": 9, "iscrowd": 1, "segmentation": {"counts": [4], "size": [2, 2]}}
FIRST = {"id": 8, "image_id": 9, "iscrowd": 0, "segmentation": [SQUARE]}
SECOND = {"id": 1, "image_id": 9, "iscrowd": 0, "segmentation": [[5, 1, 7, 1, 7, 3, 5, 3]]}


def test_annotations_stand_in_the_order_of_the_file_without_crowds(tmp_path: Path) -> None:
    uri = write_annotations(tmp_path / "instances.json", [FIRST, CROWD, SECOND])
    assert read_annotations(uri) == {
        "a": [FIRST["segmentation"], SECOND["segmentation"]],
        "b": [],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no instances as COCO writes them"),
        ('{"images": []}', "holds no instances as COCO writes them"),
        (
            '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": '
            '[{"id": 5, "image_id": 1, "segmentation": [[1, 2, 3]]}]}',
            "annotation 5 has a broken polygon",
        ),
    ],
)
def test_other_files_are_refused(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=f"instances.json.* {reason}"):
        read_annotations(str(path))
    with pytest.raises(AnnotationError, match="none.json cannot be read"):
        read_annotations(str(tmp_path / "none.json"))


def test_a_map_for_each_label_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks = tmp_path / "masks"
    (masks / "deeper").mkdir(parents=True)
    label_map = np.full((6, 8), 200, np.uint8)
    Image.fromarray(label_map).save(masks / "a.png")
    Image.fromarray(label_map).save(masks / "deeper/b.png")
    config = InstanceMapsConfig(
        annotations=write_annotations(tmp_path / "instances.json", [FIRST, CROWD, SECOND]),
        masks=str(masks),
        output=str(tmp_path / "instances"),
        workers=1,
    )
    assert make_instance_maps(config) == 0
    expected = label_map.copy()
    expected[0:3, 0:3] = 0
    expected[0:2, 4:6] = 1
    assert sorted(path.name for path in (tmp_path / "instances").rglob("*.*")) == ["a.png", "b.png"]
    for name, ids in (("a", expected), ("deeper/b", label_map)):
        with Image.open(tmp_path / f"instances/{name}.png") as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), ids)

    (masks / "a.png").write_bytes(b"no image")
    assert make_instance_maps(config) == 3
    assert "1 instance maps in" in capsys.readouterr().out
    (masks / "c.png").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="no image for 1 of 3 label maps, e.g. c: is it"):
        make_instance_maps(config)
