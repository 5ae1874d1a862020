"""Instance maps painted from COCO's annotations."""

import errno
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jobs.make_instance_maps import InstanceMapsConfig, make_instance_maps
from spadepis.configuration import ConfigurationError
from spadepis.dataset.encoding import encode_png
from spadepis.dataset.inputs.coco_instances import (
    AnnotatedImage,
    Annotation,
    AnnotationError,
    match_images,
    paint_instances,
    polygon_mask,
    read_annotations,
)
from spadepis.dataset.storage.credentials import CredentialsError
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import instance_edges

SQUARE = [1, 1, 4, 1, 4, 4, 1, 4]


def annotated(*segmentations: Any, size: tuple[int, int] | None = None) -> AnnotatedImage:
    """An image with annotations whose ids count from 1."""
    annotations = [Annotation(str(id), each) for id, each in enumerate(segmentations, start=1)]
    return AnnotatedImage("a.jpg", size, annotations)


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
    painted = paint_instances(label_map, annotated([SQUARE], two_parts))
    assert painted.dtype == np.uint8
    np.testing.assert_array_equal(painted, square_first)
    square_last = label_map.copy()
    square_last[2:4, 2:5] = 0
    square_last[0, 6:8] = 0
    square_last[0:3, 0:3] = 1
    painted = paint_instances(label_map, annotated(two_parts, [SQUARE]))
    np.testing.assert_array_equal(painted, square_last)
    assert (label_map == 200).all()


def test_many_annotations_take_16_bits() -> None:
    tiny = [[1, 1, 2, 1, 2, 2, 1, 2]]
    label_map = np.zeros((2, 2), np.uint8)
    assert paint_instances(label_map, annotated(*[tiny] * 256)).dtype == np.uint8
    painted = paint_instances(label_map, annotated(*[tiny] * 300))
    assert painted.dtype == np.uint16
    assert painted.tolist() == [[299, 0], [0, 0]]


# A ring and a corner on the right, and what COCO's own tools make of them.
RING = np.zeros((60, 80), np.bool_)
RING[5:50, 10:40] = True
RING[20:30, 20:25] = False
RING[55:, 70:] = True
COMPRESSED = (
    "mb0]1?000000000000000000ROK55KK55KK55KK55KK55i00000000000000000000000000000ji1hN^WN"
    "00000000000000000"
)


@pytest.mark.parametrize("compressed", [False, True], ids=["numbers", "text"])
def test_objects_may_be_masks(compressed: bool) -> None:
    columns = RING.flatten(order="F")
    ends = np.append(np.nonzero(np.diff(columns))[0] + 1, columns.size)
    counts = COMPRESSED if compressed else np.diff(ends, prepend=0).tolist()
    label_map = np.full(RING.shape, 200, np.uint8)
    mask = {"size": [60, 80], "counts": counts}
    painted = paint_instances(label_map, annotated([SQUARE], mask))
    np.testing.assert_array_equal(painted == 1, RING)
    assert (painted[:3, :3] == 0).all()


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[1, 2, 3]], "has a broken polygon, of 3 numbers"),
        ([[]], "has a broken polygon, of 0 numbers"),
        ([[1, 1, 2, None, 3, 3]], "has a broken polygon, which is no list of numbers"),
        ([["a", "b", "c", "d"]], "has a broken polygon, which is no list of numbers"),
        ([["1", "1", "2", "2"]], "has a broken polygon, which is no list of numbers"),
        (SQUARE, "has a broken polygon, which is no list of numbers"),
        ([[[1, 1], [2]]], "has a broken polygon, whose coordinates are lists"),
        ([[float("nan")] * 6], "has a broken polygon, with coordinates that are no places"),
        ([[1, 1, 2, float("inf")]], "has a broken polygon, with coordinates that are no places"),
        ([[1, 1, 1e300, 1, 1e300, 1e300]], "has a broken polygon, with coordinates that"),
        (None, "has no segmentation as COCO writes it"),
        ({"counts": [48]}, "has no segmentation as COCO writes it"),
        ({"size": [8, 6], "counts": [48]}, "has a mask of 6x8 pixels, and the label map has 8x6"),
        ({"size": [6, 8], "counts": [40, 9]}, "has run lengths that do not fill its mask"),
        ({"size": [6, 8], "counts": [50, -2]}, "has run lengths that do not fill its mask"),
        ({"size": [6, 8], "counts": "no"}, "has run lengths that do not fill its mask"),
    ],
)
def test_broken_annotations_are_named(segmentation: Any, reason: str) -> None:
    with pytest.raises(AnnotationError, match=f"^annotation 2 {reason}"):
        paint_instances(np.zeros((6, 8), np.uint8), annotated([SQUARE], segmentation))


def test_an_image_of_another_size_is_not_painted() -> None:
    label_map = np.zeros((6, 8), np.uint8)
    assert (paint_instances(label_map, annotated([SQUARE], size=(6, 8))) == 0).all()
    with pytest.raises(AnnotationError, match="it has 8x6 pixels.* a.jpg with 16x12"):
        paint_instances(label_map, annotated([SQUARE], size=(12, 16)))


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
        made = paint_instances(label_map, annotated(*annotations))
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
    with_crowds, without = read_annotations(uri)
    assert with_crowds.annotations == [
        Annotation("8", FIRST["segmentation"]),
        Annotation("1", SECOND["segmentation"]),
    ]
    assert (without.path, without.annotations) == ("b", [])


def named(*file_names: str) -> list[AnnotatedImage]:
    return [AnnotatedImage(name) for name in file_names]


def test_label_maps_are_matched_by_path_or_else_by_name() -> None:
    in_folders = named("a/1.jpg", "b/1.jpg", "b/2.jpg")
    matched = match_images(["b/1", "a/1", "2", "3"], in_folders)
    assert {id: image.file_name for id, image in matched.items()} == {
        "a/1": "a/1.jpg",
        "b/1": "b/1.jpg",
        "2": "b/2.jpg",
    }
    matched = match_images(["deeper/1"], named("1.jpg", "2.jpg"))
    assert matched["deeper/1"].file_name == "1.jpg"


@pytest.mark.parametrize(
    ("ids", "file_names", "reason"),
    [
        (["1"], ["a/1.jpg", "b/1.jpg"], "label map 1 may be that of a/1.jpg or b/1.jpg"),
        (["c/1"], ["a/1.jpg", "b/1.jpg"], "label map c/1 may be that of a/1.jpg or b/1.jpg"),
        (["a/1", "b/1"], ["1.jpg"], "1.jpg may be the image of the label maps a/1 and b/1"),
        (["a/1", "b/1"], ["b/1.jpg"], "b/1.jpg may be the image of the label maps a/1 and b/1"),
        (["1"], ["1.jpg", "1.png"], "1.jpg and 1.png are the same image"),
    ],
)
def test_label_maps_of_no_clear_image_are_refused(
    ids: list[str], file_names: list[str], reason: str
) -> None:
    with pytest.raises(AnnotationError, match=reason):
        match_images(ids, named(*file_names))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no instances as COCO writes them"),
        ('{"images": []}', "holds no instances as COCO writes them"),
        ('{"images": [], "annotations": [5]}', "holds no instances as COCO writes them"),
        ('{"images": [{"id": 1}], "annotations": []}', "image 0, .* has no id and file_name"),
        (
            '{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], '
            '"annotations": []}',
            "a and b have the id 1",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": '
            '[{"id": 5, "image_id": 7, "segmentation": []}]}',
            "annotation 5 is of the image 7, which is not in the file",
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


def test_credentials_are_not_repeated() -> None:
    with pytest.raises(CredentialsError) as caught:
        read_annotations("s3://key:topsecret@bucket/instances.json")
    assert "topsecret" not in str(caught.value)


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


def write_tar(path: Path, names: list[str], content: bytes) -> None:
    with tarfile.open(path, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_single_maps_that_cannot_be_made_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = ["good", "size", "broken", "../../evil", "/absolute", "x" * 300]
    images: list[dict[str, Any]] = [{"id": id, "file_name": f"{id}.jpg"} for id in ids]
    images[1] |= {"width": 16, "height": 12}
    annotations = [
        {"id": 1, "image_id": "good", "segmentation": [SQUARE]},
        {"id": 2, "image_id": "size", "segmentation": [SQUARE]},
        {"id": 3, "image_id": "broken", "segmentation": [["x", "y"]]},
    ]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    write_tar(
        tmp_path / "masks.tar", [f"{id}.png" for id in ids], encode_png(np.ones((6, 8), "u1"))
    )
    output = tmp_path / "deep/er/instances"
    # That of an earlier run does not stay.
    output.mkdir(parents=True)
    (output / "broken.png").write_bytes(encode_png(np.ones((6, 8), "u1")))
    config = InstanceMapsConfig(
        annotations=str(path), masks=str(tmp_path / "masks.tar"), output=str(output), workers=1
    )
    assert make_instance_maps(config) == 3
    assert [found.name for found in tmp_path.rglob("*.png")] == ["good.png"]
    reasons = [record.getMessage().partition("left out: ")[2] for record in caplog.records]
    assert len(reasons) == 5
    assert all(reason.startswith(f"{tmp_path}/masks.tar#offset=") for reason in reasons)
    for words, reason in zip(
        (
            "it has 8x6 pixels",
            "annotation 3 has",
            "'../../evil.png'",
            "'/absolute.png'",
            "too long",
        ),
        reasons,
        strict=True,
    ):
        assert words in reason


def test_an_output_that_cannot_be_written_ends_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Folder, name: str, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Folder, "write", full)
    Image.fromarray(np.ones((6, 8), np.uint8)).save(tmp_path / "a.png")
    config = InstanceMapsConfig(
        annotations=write_annotations(tmp_path / "instances.json", []),
        masks=str(tmp_path / "*.png"),
        output=str(tmp_path / "out"),
    )
    with pytest.raises(ConfigurationError, match="out cannot be written .No space left on device."):
        make_instance_maps(config)
