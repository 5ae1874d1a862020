"""Listing inputs."""

import os
import re
import unicodedata
from pathlib import Path

import fsspec
import pytest

from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.dataset.inputs.shards import read_source
from tests.support.web_server import serve_folder


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"never opened")


def test_lists_a_folder_recursively_and_sorted(tmp_path: Path) -> None:
    make(tmp_path, "b.png", "a/z.JPG", "a/c.tiff", "notes.txt", ".hidden.png", ".cache/x.png")
    listing = list_images(str(tmp_path))
    assert list(listing.images) == ["a/c", "a/z", "b"]
    assert listing.images["a/z"] == str(tmp_path / "a/z.JPG")
    assert listing.ignored == [str(tmp_path / "notes.txt")]


def test_ids_of_a_glob_leave_out_what_the_glob_fixes(tmp_path: Path) -> None:
    make(tmp_path, "x/1_label.png", "x/1_inst.png", "y/2_label.png", "y/labels.tif")
    labels = list_images(f"{tmp_path}/*/*_label.png")
    assert list(labels.images) == ["x/1", "y/2"]
    instances = list_images(f"{tmp_path}/*/*_inst.png")
    assert instances.uri_of("x/1") == str(tmp_path / "x/1_inst.png")
    assert instances.uri_of("y/2") == str(tmp_path / "y/2_inst.png")
    assert "y/2" not in instances.images
    assert list(list_images(f"{tmp_path}/*/labels.tif").images) == ["y"]
    assert list(list_images(f"{tmp_path}/[xy]/?_*").images) == [
        "x/1_inst",
        "x/1_label",
        "y/2_label",
    ]


def test_lists_a_single_file_and_names_with_wildcards(tmp_path: Path) -> None:
    make(tmp_path, "[odd] folder?/a*.png")
    folder = tmp_path / "[odd] folder?"
    assert list(list_images(str(folder)).images) == ["a*"]
    assert list(list_images(str(folder / "a*.png")).images) == ["a*"]


def test_lists_the_folders_of_a_web_server(tmp_path: Path) -> None:
    make(tmp_path, "in/b.png", "in/town/\u00e4 1.png", "in/notes.txt", "other/c.png")
    with serve_folder(tmp_path) as address:
        for uri in (f"{address}/in", f"{address}/in/"):
            images = list_images(uri).images
            assert list(images) == ["b", "town/\u00e4 1"]
            for source in images.values():
                assert read_source(source, 100) == b"never opened"
        assert list(list_images(f"{address}/in/town/*.png").images) == ["\u00e4 1"]
        assert list(list_images(f"{address}/in/b.png").images) == ["b"]
        with pytest.raises(SourceError, match="does not exist"):
            list_images(f"{address}/none/")


def test_lists_other_filesystems() -> None:
    memory = fsspec.filesystem("memory")
    for name in ("a/1.png", "a/1_inst.png", "out/2.png"):
        memory.pipe_file(f"/bucket/{name}", b"")
    listing = list_images("memory://bucket", exclude="memory:///bucket/out")
    assert listing.images == {
        "a/1": "memory:///bucket/a/1.png",
        "a/1_inst": "memory:///bucket/a/1_inst.png",
    }
    assert listing.uri_of("b") == "memory:///bucket/b.png"
    assert list_images("memory://bucket/a/1.png").images == {"1": "memory:///bucket/a/1.png"}
    assert list_images("memory:///*/a/*.png").images["bucket/a/1"] == "memory://bucket/a/1.png"
    assert list_images("memory://bucket/*/*_inst.png").images == {
        "a/1": "memory:///bucket/a/1_inst.png"
    }


def test_output_inside_the_input_is_no_input(tmp_path: Path) -> None:
    make(tmp_path, "data/a.png", "data/out/images/b.png", "data/outer.png", "data/out/p.parquet")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for data in ("data", "link"):
        for out in ("data/out", "link/out"):
            listing = list_images(str(tmp_path / data), exclude=str(tmp_path / out))
            assert list(listing.images) == ["a", "outer"]
    with pytest.raises(SourceError, match=r"no images outside .*/data/out, the output folder"):
        list_images(str(tmp_path / "data/out/images"), exclude=str(tmp_path / "data/out"))


def test_a_glob_without_two_stars_looks_no_deeper_than_it_says(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", "a/b/2.png", "a/.b/3.png")
    (tmp_path / "a/b/loop").symlink_to(tmp_path)
    assert list(list_images(f"{tmp_path}/*/*.png").images) == ["a/1"]
    (tmp_path / "a/b/loop").unlink()
    assert list(list_images(f"{tmp_path}/**/*.png").images) == ["a/1", "a/b/2"]


def test_where_a_missing_image_would_be_is_never_outside(tmp_path: Path) -> None:
    make(tmp_path, "a.png")
    missing = list_images(str(tmp_path)).uri_of("x/../../../etc/passwd")
    assert ".." not in missing
    assert missing.startswith(f"{tmp_path}/x/")


def test_names_that_are_not_unicode_are_reported(tmp_path: Path) -> None:
    make(tmp_path, "a.png")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(b"")
    assert len(list_images(str(tmp_path)).ignored) == 1
    (tmp_path / "a.png").unlink()
    with pytest.raises(SourceError, match="not UTF-8, and there are no other images"):
        list_images(str(tmp_path))


@pytest.mark.parametrize(
    ("names", "reason"),
    [((), "holds no images"), (("a.txt",), "holds no images"), (("a.jpg", "a.png"), "same id")],
)
def test_unusable_folders(tmp_path: Path, names: tuple[str, ...], reason: str) -> None:
    make(tmp_path, *names)
    with pytest.raises(SourceError, match=reason):
        list_images(str(tmp_path))


@pytest.mark.parametrize("pattern", ["**.png", "x**", "{0..9999999}.png", "{0..999}{0..9999}.png"])
def test_patterns_that_are_none(pattern: str, tmp_path: Path) -> None:
    make(tmp_path, "a.png")
    with pytest.raises(SourceError, match=re.escape(pattern)):
        list_images(f"{tmp_path}/{pattern}")


def test_names_pair_whichever_way_their_letters_are_written(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    make(tmp_path, f"masks/{composed}.png", f"photos/{decomposed}.jpg")
    masks, photos = (list_images(f"{tmp_path}/{kind}") for kind in ("masks", "photos"))
    assert masks.uri_of(decomposed) == f"{tmp_path}/masks/{composed}.png"
    assert photos.uri_of(composed) == f"{tmp_path}/photos/{decomposed}.jpg"
    assert list(photos.images) == [decomposed]
    assert photos.find("e") is None


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        list_images(str(tmp_path / "none"))
    with pytest.raises(SourceError, match="is empty"):
        list_images("")
