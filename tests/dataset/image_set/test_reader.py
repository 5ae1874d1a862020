"""Folders, commits, the index, and reading the set back."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from spadepis import ImageSet
from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commit_log import read_commits, write_commits
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder


def done(mask_id: str, style_id: str | None = "s") -> Commit:
    return Commit(mask_id, style_id, "m.png", "s.jpg", file_name=f"{mask_id}-{style_id}")


def failed(mask_id: str, style_id: str | None = "s") -> Commit:
    return Commit(
        mask_id, style_id, "m.png", "s.jpg", stage="read", error="ValueError", message="why"
    )


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    if request.param == "local":
        return Folder(str(tmp_path / "out"))
    return Folder(f"memory://{tmp_path.name}")


def test_commits_round_trip_sorted_and_once_each(folder: Folder) -> None:
    first = replace(done("b"), seconds={"read": 0.5}, height=4, width=6)
    write_commits(folder, [first, failed("a")])
    write_commits(folder, [done("a", None), done("a\n../ü", "x" * 300)])
    write_commits(folder, [first, failed("a")])
    assert len(folder.names("_commits")) == 2
    assert read_commits(folder) == [done("a", None), failed("a"), done("a\n../ü", "x" * 300), first]


@pytest.mark.parametrize("order", [1, -1])
def test_done_wins_over_failed_in_any_order(folder: Folder, order: int) -> None:
    for commit in [failed("a"), done("a")][::order]:
        write_commits(folder, [commit])
    assert read_commits(folder) == [done("a")]


def test_image_set_gives_images_with_label_maps(folder: Folder) -> None:
    writer = ImageSetWriter(folder, "png", 95)
    generator = np.random.default_rng(0)
    image = generator.integers(0, 255, (4, 6, 3), dtype=np.uint8)
    label_map = generator.integers(0, 255, (4, 6), dtype=np.uint8)
    encoded = writer.encode(image)
    pair = Encoded(Commit("m", "s", "m.png", "s.jpg"), encoded, encode_png(label_map), encoded)
    log = to_table([*writer.publish([pair]), failed("n")])
    write_index(folder, log, {"README.md": "card"}, {"pairs": 2})

    assert folder.read("README.md") == b"card"
    images = ImageSet(folder.uri)
    assert len(images) == images.table.num_rows == 1
    assert images.table["mask_id"].to_pylist() == ["m"]
    photo, mask = images[0]
    assert isinstance(photo, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    assert np.array_equal(photo.permute(1, 2, 0), image)
    assert np.array_equal(mask, label_map)
    failures = pq.read_table(io.BytesIO(folder.read("failures.parquet"))).to_pylist()
    assert [(row["mask_id"], row["stage"], row["message"]) for row in failures] == [
        ("n", "read", "why")
    ]

    flipped = ImageSet(folder.uri, transforms=v2.RandomHorizontalFlip(p=1))
    photo, mask = flipped[0]
    assert mask is not None
    assert torch.equal(photo.flip(-1).permute(1, 2, 0), torch.from_numpy(image))
    assert np.array_equal(mask.flip(-1), label_map)


def test_image_set_without_label_maps(folder: Folder) -> None:
    writer = ImageSetWriter(folder, "jpg", 95)
    image = writer.encode(np.zeros((4, 6, 3), np.uint8))
    pair = Encoded(Commit("m", "s", "m", "s"), image, mask=None, content=None)
    write_index(folder, to_table(writer.publish([pair])), {}, {})
    images = ImageSet(folder.uri)
    assert images[0][1] is None
    assert "mask_file_name" not in images.table.column_names


def test_unfinished_image_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"metadata.parquet is missing"):
        ImageSet(str(tmp_path))


def test_images_with_some_classes_or_figures(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    classes = {"a": ["car", "road"], "b": ["road"], "c": ["car", "road", "tree"], "d": []}
    commits = [
        replace(done(id), classes=names, quality={"structure": 0.2 * len(names)})
        for id, names in classes.items()
    ]
    write_index(folder, to_table(commits), {}, {})
    images = ImageSet(str(tmp_path))

    def ids(selection: ImageSet) -> list[str]:
        found: list[str] = selection.table["mask_id"].to_pylist()
        return found

    assert ids(images.where(classes="road")) == ["a", "b", "c"]
    assert ids(images.where(classes=["road", "car"])) == ["a", "c"]
    assert ids(images.where(classes=["road", "car"]).where(classes=["tree"])) == ["c"]
    assert ids(images.where(classes="sea")) == []
    assert ids(images.where(pc.field("structure") > 0.3, classes="car")) == ["a", "c"]
    assert "clipped" not in images.table.column_names
