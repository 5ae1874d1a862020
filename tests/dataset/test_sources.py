"""Listing inputs and naming outputs."""

import os
import string
from pathlib import Path, PurePosixPath

import pytest

from spadepis.dataset.names import content_name, image_name, label_map_name, safe_name
from spadepis.dataset.pairing import random_styles
from spadepis.dataset.sources import SourceError, list_images


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


def test_lists_other_filesystems() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/a/1.png", b"")
    listing = list_images("memory://bucket")
    assert listing.images == {"a/1": "memory:///bucket/a/1.png"}
    assert listing.uri_of("b") == "memory:///bucket/b.png"


def test_output_inside_the_input_is_no_input(tmp_path: Path) -> None:
    make(tmp_path, "a.png", "out/images/b.png", "outer.png")
    listing = list_images(str(tmp_path), exclude=str(tmp_path / "out"))
    assert list(listing.images) == ["a", "outer"]


def test_names_that_are_not_unicode_are_reported(tmp_path: Path) -> None:
    make(tmp_path, "a.png")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(b"")
    assert len(list_images(str(tmp_path)).ignored) == 1


@pytest.mark.parametrize(
    ("names", "reason"),
    [((), "holds no images"), (("a.txt",), "holds no images"), (("a.jpg", "a.png"), "same id")],
)
def test_unusable_folders(tmp_path: Path, names: tuple[str, ...], reason: str) -> None:
    make(tmp_path, *names)
    with pytest.raises(SourceError, match=reason):
        list_images(str(tmp_path))


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        list_images(str(tmp_path / "none"))


HOSTILE = [
    "../../etc/passwd",
    "..",
    ".",
    "a/b",
    "a\nb",
    "ä漢字😀",
    "x" * 300,
    "/abs",
    "~",
    "a b%20c",
    "",
]


@pytest.mark.parametrize("identifier", HOSTILE)
def test_no_identifier_leaves_its_folder(identifier: str) -> None:
    name = safe_name(identifier)
    assert set(name) <= set(string.ascii_letters + string.digits + "_.-~%")
    assert len(name) <= 140
    assert not name.startswith(".")
    path = PurePosixPath(image_name(identifier or "mask", identifier or "style", "jpg"))
    assert path.parts[0] == "images"
    assert len(path.parts) == 4
    assert ".." not in path.parts


def test_names_are_distinct_and_stable() -> None:
    assert len({safe_name(identifier) for identifier in HOSTILE}) == len(HOSTILE)
    assert safe_name("x" * 300) != safe_name("x" * 301)
    assert image_name("000000000139", "dusk", "jpg") == "images/6a/000000000139/dusk.jpg"
    assert image_name("000000000139", None, "png") == "images/6a/000000000139.png"
    assert label_map_name("000000000139") == "masks/6a/000000000139.png"
    assert content_name("000000000139", "jpg") == "contents/6a/000000000139.jpg"


def test_styles_are_drawn_independently_of_order_and_other_masks() -> None:
    styles = [f"style{i}" for i in range(16)]
    drawn = random_styles("mask", styles, 4, seed=0)
    assert len(set(drawn)) == 4
    assert random_styles("mask", styles[::-1], 4, seed=0) == drawn
    assert random_styles("mask", styles, 2, seed=0) == drawn[:2]
    assert random_styles("mask", styles, 4, seed=1) != drawn
    counts = dict.fromkeys(styles, 0)
    for i in range(1000):
        for style in random_styles(f"mask{i}", styles, 4, seed=0):
            counts[style] += 1
    # Binomial with mean 250 and standard deviation 14.
    assert all(180 < count < 320 for count in counts.values())
    with pytest.raises(ValueError, match="17 styles"):
        random_styles("mask", styles, 17, seed=0)
