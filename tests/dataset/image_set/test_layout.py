"""The names of everything in an image set."""

import string
from pathlib import Path, PurePosixPath

import pytest

from spadepis.dataset.image_set.layout import (
    column_and_row,
    content_name,
    image_name,
    instance_map_name,
    is_image_file,
    is_shard,
    label_map_name,
    name_in_shard,
    object_name,
    safe_name,
    shard_name,
)
from spadepis.dataset.image_set.stored_images import read_image
from spadepis.dataset.storage.folder import Folder

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
    "%",
    ".a",
    "%2Ea",
    "\0",
    "a\r\u2028b",
    "😀" * 300,
    "",
]


@pytest.mark.parametrize("identifier", HOSTILE)
def test_no_identifier_leaves_its_folder(identifier: str) -> None:
    name = safe_name(identifier)
    assert set(name) <= set(string.ascii_letters + string.digits + "_.-~%")
    assert len(name) <= 140
    assert not name.startswith(".")
    for path, depth in (
        (PurePosixPath(image_name(identifier, identifier, "jpg")), 4),
        (PurePosixPath(image_name(identifier, None, "jpg")), 3),
        (PurePosixPath(label_map_name(identifier)), 3),
        (PurePosixPath(content_name(identifier, "png")), 3),
    ):
        assert path.parts[0] in ("images", "masks", "contents")
        assert len(path.parts) == depth
        assert not path.stem.startswith(".")
        assert all(len(part.encode()) <= 255 for part in path.parts)


def test_names_are_distinct_and_stable() -> None:
    assert len({safe_name(identifier) for identifier in HOSTILE}) == len(HOSTILE)
    assert len({image_name(mask, style, "jpg") for mask in HOSTILE for style in HOSTILE}) == (
        len(HOSTILE) ** 2
    )
    assert safe_name("x" * 300) != safe_name("x" * 301)
    assert image_name("000000000139", "dusk", "jpg") == "images/6a/000000000139/dusk.jpg"
    assert image_name("000000000139", None, "png") == "images/6a/000000000139.png"
    assert label_map_name("000000000139") == "masks/6a/000000000139.png"
    assert content_name("000000000139", "jpg") == "contents/6a/000000000139.jpg"
    assert instance_map_name("000000000139") == "instances/6a/000000000139.png"


def test_names_differ_where_case_is_ignored() -> None:
    ids = [
        "Scene",
        "scene",
        "SCENE",
        "a/B",
        "a/b",
        "%2E",
        "%2e",
        "\u00c9",
        "\u00e9",
        "X" * 300,
        "x" * 300,
    ]
    assert len({safe_name(id).lower() for id in ids}) == len(ids)
    assert safe_name("scene") == "scene"
    assert safe_name("Scene").startswith("Scene~")
    images = {image_name(mask_id, style_id, "jpg").lower() for mask_id in ids for style_id in ids}
    assert len(images) == len(ids) ** 2
    # What version 0.1 called such images is still known to be an image of the set.
    assert is_image_file(label_map_name("Scene"))
    assert is_image_file(f"{label_map_name('Scene').rpartition('/')[0]}/Scene.png")


@pytest.mark.parametrize(
    "mask_id", ["000000000139", "ADE_val_1", "../A.b", ".x", "ü\n", "y" * 300, "a/b"]
)
def test_names_are_recognised(mask_id: str) -> None:
    names = [label_map_name(mask_id), content_name(mask_id, "jpg"), instance_map_name(mask_id)]
    names += [image_name(mask_id, style_id, "jpg") for style_id in (None, "dusk", "../d.e")]
    assert all(map(is_image_file, names))
    assert not any(is_image_file(f"other/{name}") for name in names)
    for name in ("images/zz/a.jpg", "masks/zz/a/b.png", "images/a.jpg", "a", "metadata.parquet"):
        assert not is_image_file(name)


def test_images_in_shards_have_names_of_their_own() -> None:
    shard = shard_name(b"content")
    assert is_shard(shard) and not is_image_file(shard) and not is_shard("data/part-1.parquet")
    assert is_shard(shard_name(b"content", "train")) and not is_shard("data/other-1.parquet")
    name = name_in_shard(shard, "mask", 3)
    assert (object_name(name), column_and_row(name)) == (shard, ("mask", 3))
    file = label_map_name("000000000139")
    assert (object_name(file), column_and_row(file)) == (file, None)
    for other in (f"{shard}#row=3", f"{shard}#column=mask&row=-1", f"{shard}#column=a#b&row=1"):
        with pytest.raises(ValueError, match="not the name of an image in a shard"):
            column_and_row(other)


def test_no_image_is_read_from_outside_of_the_set(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "set"))
    for name in ("../secret.png", "../secret.parquet#column=image&row=0", "/etc/passwd"):
        with pytest.raises(ValueError, match="outside of the folder"):
            read_image(folder, name)
