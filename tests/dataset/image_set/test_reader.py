"""Folders, commits, the index, and reading the set back."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader, Subset
from torchvision import tv_tensors
from torchvision.transforms import v2

from spadepis import ImageSet
from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commit_log import read_commits, write_commits
from spadepis.dataset.image_set.commits import SCHEMA, Commit, to_table
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import MANIFEST
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import ADE20K
from spadepis.labels.training import TrainingLabels


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

    name = images.table["mask_file_name"][0].as_py()
    folder.write(name, b"damaged")
    with pytest.raises(OSError, match=f"cannot be decoded .*: '{folder.uri}/{name}'"):
        images[0]


def test_image_set_without_label_maps(folder: Folder) -> None:
    writer = ImageSetWriter(folder, "jpg", 95)
    image = writer.encode(np.zeros((4, 6, 3), np.uint8))
    pair = Encoded(Commit("m", "s", "m", "s"), image, mask=None, content=None)
    write_index(folder, to_table(writer.publish([pair])), {}, {})
    images = ImageSet(folder.uri)
    assert images[0][1] is None
    assert "mask_file_name" not in images.table.column_names


def test_a_loader_of_images_without_label_maps(folder: Folder) -> None:
    writer = ImageSetWriter(folder, "png", 95)
    image = writer.encode(np.full((4, 6, 3), 7, np.uint8))
    pairs = [Encoded(Commit(id, "s", "m", "s"), image, mask=None, content=None) for id in "abcd"]
    write_index(folder, to_table(writer.publish(pairs)), {}, {})
    images = ImageSet(folder.uri)
    for loaded in (images, Subset(images, [1, 2, 3])):
        (batch, *more) = DataLoader(loaded, batch_size=2)
        assert batch.shape == (2, 3, 4, 6) and batch.dtype == torch.uint8 and len(more) == 1
    floats = ImageSet(folder.uri, transforms=v2.ToDtype(torch.float32, scale=True))
    (batch,) = DataLoader(floats, batch_size=4)
    assert batch.shape == (4, 3, 4, 6) and batch.max() < 0.1


LABELS = {"label_space": TrainingLabels.of(ADE20K).to_manifest()}


def labelled(folder: Folder, manifest: dict[str, Any]) -> Folder:
    """A set of one image: unknown, wall, sky, flag from left to right."""
    writer = ImageSetWriter(folder, "png", 95)
    label_map = np.tile(np.array([0, 1, 3, 150], np.uint8), (2, 1))
    image = writer.encode(np.zeros((2, 4, 3), np.uint8))
    commit = Commit("m", "s", "m", "s", classes=["unknown", "wall", "sky", "flag"])
    pair = Encoded(commit, image, encode_png(label_map), None)
    write_index(folder, to_table(writer.publish([pair])), {}, manifest)
    return folder


def first_row(images: ImageSet) -> list[int]:
    label_map = images[0][1]
    assert isinstance(label_map, tv_tensors.Mask) and label_map.dtype == torch.uint8
    values: list[int] = label_map[0].tolist()
    return values


def test_label_maps_as_raw_values_or_training_indices(folder: Folder) -> None:
    uri = labelled(folder, LABELS).uri
    raw, training = ImageSet(uri), ImageSet(uri, labels="training")
    with pytest.raises(ValueError, match="not 'indices'"):
        ImageSet(uri, labels="indices")  # type: ignore[arg-type]
    assert first_row(raw) == [0, 1, 3, 150]
    assert first_row(training) == [255, 0, 2, 149]
    assert len(raw.classes) == 150 and raw.ignore_index == 255
    assert [raw.classes[index] for index in (0, 2, 149)] == ["wall", "sky", "flag"]
    assert repr(raw) == f"<ImageSet {uri}: 1 images, 1 scenes, 1 styles, label maps of ade20k>"
    assert "0 images" in repr(raw.where(mask_id="none"))


def test_classes_of_sets_of_version_0_1(folder: Folder) -> None:
    uri = labelled(folder, {"configuration": {"label_space": "ade20k"}}).uri
    assert first_row(ImageSet(uri, labels="training")) == [255, 0, 2, 149]
    folder.write("_SUCCESS", b'{"configuration": {"label_space": "mine (0123456789ab)"}}')
    images = ImageSet(uri)
    assert "label maps of unknown classes" in repr(images)
    assert len(images.where(classes="wall")) == 1 and len(images.where(classes="x")) == 0
    for ask in (lambda: images.classes, lambda: ImageSet(uri, labels="training")):
        with pytest.raises(ValueError, match="does not say which classes"):
            ask()


def test_filters_name_what_they_do_not_know(folder: Folder) -> None:
    images = ImageSet(labelled(folder, LABELS).uri)
    assert len(images.where(classes=["wall", "sky"])) == 1
    assert len(images.where(classes="car")) == 0
    assert len(images.where(mask_id={*images.table["mask_id"].to_pylist(), "none"})) == len(images)
    with pytest.raises(ValueError, match=r"ade20k has no class 'walls' \(did you mean wall"):
        images.where(classes=["sky", "walls"])
    with pytest.raises(KeyError, match=r"no column 'style' \(did you mean style_id"):
        images.where(style="s")


def test_an_index_that_is_being_written_again_has_no_manifest(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled(folder, LABELS)
    assert folder.exists(MANIFEST)

    def full(folder: Folder, name: str, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Folder, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write_index(folder, SCHEMA.empty_table(), {}, {"status": "complete"})
    assert not folder.exists(MANIFEST)


def test_unfinished_image_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"metadata.parquet is missing"):
        ImageSet(str(tmp_path))


def test_a_split_that_the_set_does_not_have(folder: Folder) -> None:
    log = to_table([done("a"), done("b")])

    def said() -> str:
        with pytest.raises(ValueError, match="has no split 'validation'") as caught:
            ImageSet(folder.uri, split="validation")
        return str(caught.value)

    write_index(folder, log, {}, {}, split_by="a")
    assert len(ImageSet(folder.uri, split="validation")) == 1
    write_index(folder, log, {}, {}, split_by="c")
    assert said().endswith("it has only train")
    write_index(folder, log, {}, {})
    assert said().endswith("it was made without --split-by")


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
