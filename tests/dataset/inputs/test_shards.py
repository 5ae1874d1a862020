"""Images in Parquet and tar shards: listing, reading, damage and hostile content."""

import io
import os
import resource
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cachetools import LRUCache
from PIL import Image

from spadepis.dataset.image_set.layout import safe_name
from spadepis.dataset.inputs import parquet_shards
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.dataset.inputs.photos import read_photo
from spadepis.dataset.storage.reading import RangeFile

LIMIT = 10**6
HOSTILE = [
    "../../etc/passwd",
    "/abs",
    "a\nb",
    "ä漢字😀",
    "x" * 300,
    "%2e%2e/..",
    "'\"<b>&",
    "#a&row=1",
]


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 3), value).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes], **options: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **options) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return str(path)


def write_parquet(path: Path, columns: Mapping[str, Sequence[Any]], **options: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, **options)
    return str(path)


def structs(values: Mapping[Any, int]) -> list[dict[str, Any]]:
    return [{"bytes": png(value), "path": path} for path, value in values.items()]


def value(source: str) -> int:
    return int(read_label_map(source, LIMIT)[0, 0])


def values(uri: str) -> dict[str, int]:
    return {id: value(source) for id, source in list_images(uri).images.items()}


def test_tar_members_are_found_by_key_and_extension(tmp_path: Path) -> None:
    for shard in range(2):
        members = {}
        for i in (0, 1):
            key = f"./d.1/{shard}{i}"
            members[f"{key}.jpg"] = png(10 * shard + i)
            members[f"{key}.mask.PNG"] = png(100 + 10 * shard + i)
            members[f"{key}.json"] = b"{}"
        write_tar(tmp_path / f"s{shard}.tar", members)
    for uri in (str(tmp_path), f"{tmp_path}/s*.tar"):
        assert values(f"{uri}#jpg") == {"d.1/00": 0, "d.1/01": 1, "d.1/10": 10, "d.1/11": 11}
        masks = values(f"{uri}#mask.PNG")
        assert masks == {"d.1/00": 100, "d.1/01": 101, "d.1/10": 110, "d.1/11": 111}
        with pytest.raises(SourceError, match=r"several images of .*choose by #jpg or #mask.PNG"):
            list_images(uri)
        with pytest.raises(SourceError, match=r"no image is seg.png: choose by #jpg or #mask.PNG"):
            list_images(f"{uri}#seg.png")
    assert values(f"{tmp_path}/s1.tar#jpg") == {"d.1/10": 10, "d.1/11": 11}


def test_one_image_a_key_needs_no_extension(tmp_path: Path) -> None:
    uri = write_tar(
        tmp_path / "a.tar",
        {"b.png": png(1), "a.bmp": png(2), "._a.png": b"", "c": b"", ".d/e.png": b""},
    )
    assert values(uri) == {"b": 1, "a": 2}


def test_links_and_devices_in_tars_are_left_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(9))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"link{kind.decode()}.png")
            info.type, info.linkname = kind, str(secret)
            tar.addfile(info)
        info = tarfile.TarInfo("file.png")
        info.size = len(png(1))
        tar.addfile(info, io.BytesIO(png(1)))
        tar.addfile(tarfile.TarInfo(b"\xff.png".decode("utf-8", "surrogateescape")))
    listing = list_images(f"{tmp_path}/a.tar")
    assert list(listing.images) == ["file"]
    assert len(listing.ignored) == 5


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_hostile_names_in_tars_are_plain_ids(tmp_path: Path, format: int) -> None:
    names = [name for name in HOSTILE if "." not in name.rpartition("/")[2]]
    members = {f"{name}.png": png(i) for i, name in enumerate(names)}
    uri = write_tar(tmp_path / "a.tar", members, format=format)
    assert values(uri) == {name: i for i, name in enumerate(names)}
    assert len({safe_name(id) for id in list_images(uri).images}) == len(names)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:700],
        lambda whole: whole[:1024],
        lambda whole: whole[:-512].rstrip(b"\0"),
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:1024] + b"\xff" * 512 + whole[1536:],
        lambda whole: b"",
        lambda whole: b"no tar" * 1000,
        lambda whole: whole.replace(b"PaxHeader", b"XaxHeader", 1),
    ],
)
def test_a_damaged_tar_is_an_error_before_the_start(tmp_path: Path, damage: Any) -> None:
    whole = {f"{i}{'y' * 200}.png": png(i) for i in range(5)}
    path = Path(write_tar(tmp_path / "a.tar", whole))
    assert len(list_images(str(path)).images) == 5
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SourceError, match=r"a\.tar cannot be read as a tar file \(.+\)"):
        list_images(str(path))


def test_declared_sizes_allocate_nothing(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind in (tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        info = tarfile.TarInfo("a.png")
        info.type, info.size = kind, 1 << 40
        path = tmp_path / "a.tar"
        path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
        with pytest.raises(SourceError, match="cannot be read as a tar file"):
            list_images(str(path))
    uri = write_tar(tmp_path / "big.tar", {"a.png": png(1) + bytes(10**6)})
    with pytest.raises(UnreadableImageError, match=r"10000\d\d bytes are more than 80000"):
        read_label_map(list_images(uri).images["a"], 10**4)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_headers_of_small_members_share_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = write_tar(tmp_path / "a.tar", {f"{i}.png": png(i) for i in range(100)})
    reads: list[int] = []
    read = RangeFile.read

    def counted(file: Any, size: int | None = -1) -> bytes:
        reads.append(size or 0)
        return read(file, size)

    monkeypatch.setattr(RangeFile, "read", counted)
    assert len(list_images(uri).images) == 100
    assert len(reads) <= 3


def test_parquet_of_hugging_face(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Image()})
    rows = {
        "image": structs({"a/1.jpg": 1, "a/2.jpg": 2}),
        "label": structs({"x.png": 101, "y.png": 102}),
    }
    (tmp_path / "data").mkdir()
    data = datasets.Dataset.from_dict(rows, features=features)
    data.to_parquet(f"{tmp_path}/data/train-0.parquet")
    (tmp_path / "README.md").write_text("card")
    uri = str(tmp_path)
    assert values(f"{uri}#image") == {"a/1": 1, "a/2": 2}
    # A row has one id, whatever the paths in its columns.
    assert values(f"{uri}#label") == {"a/1": 101, "a/2": 102}
    assert list_images(f"{uri}#label").ignored == [str(tmp_path / "README.md")]
    with pytest.raises(SourceError, match="several columns of images: choose by #image or #label"):
        list_images(uri)
    with pytest.raises(SourceError, match="no column of images mask: choose by #image or #label"):
        list_images(f"{uri}#mask")


def test_ids_of_parquet_rows(tmp_path: Path) -> None:
    images = structs({"a.png": 1, "b.png": 2, None: 3})
    cells = [image["bytes"] for image in images]
    ids: dict[str, list[Any]] = {"id": ["x", "y", None]}
    assert values(write_parquet(tmp_path / "1.parquet", {"m": images})) == {
        "a": 1,
        "b": 2,
        "1/000002": 3,
    }
    assert list(values(write_parquet(tmp_path / "2.parquet", ids | {"m": images}))) == [
        "x",
        "y",
        "2/000002",
    ]
    keys: dict[str, list[Any]] = {"__key__": [7, 8, 9], "n": [1, 2, 3]}
    assert values(write_parquet(tmp_path / "3.parquet", keys | {"m": cells})) == {
        "7": 1,
        "8": 2,
        "9": 3,
    }
    write_parquet(tmp_path / "sub/4.parquet", {"odd & column#": cells})
    assert values(f"{tmp_path}/**/4.parquet") == {f"sub/4/00000{i}": i + 1 for i in range(3)}


def test_rows_of_a_group_cost_one_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {f"{i:03d}.png": i for i in range(100)}
    uri = write_parquet(tmp_path / "a.parquet", {"m": structs(rows)}, row_group_size=30)
    sources = list(list_images(uri).images.values())
    opened: list[object] = []

    def counted(uri: str) -> Any:
        opened.append(uri)
        return RangeFile(uri)

    monkeypatch.setattr(parquet_shards, "RangeFile", counted)
    assert [value(source) for source in sources] == list(range(100))
    # The footer and four row groups.
    assert len(opened) == 5


def test_a_file_that_was_replaced_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    uri = write_parquet(path, {"m": structs({"a.png": 1})})
    source = list_images(uri).images["a"]
    assert value(source) == 1
    write_parquet(path, {"m": structs({"a.png": 2, "b.png": 3})})
    parquet_shards._version.cache_clear()
    assert value(source) == 2


def test_row_groups_are_kept_up_to_a_number_of_bytes(tmp_path: Path) -> None:
    cache = parquet_shards._row_group.cache
    assert isinstance(cache, LRUCache)
    parquet_shards._row_group.cache_clear()
    uri = write_parquet(tmp_path / "a.parquet", {"m": [bytes(1 << 20)] * 3}, row_group_size=2)
    for row in (0, 2):
        assert parquet_shards.read_cell(uri, "m", row) == bytes(1 << 20)
    assert 3 << 20 <= cache.currsize <= (3 << 20) + 1000
    assert cache.maxsize == parquet_shards.LARGEST_ROW_GROUP


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"n": [1, 2]}, "has no column of images"),
        ({"id": ["a", "a"], "m": [b"", b""]}, "have the same id 'a'"),
        ({"id": ["a"] * 0, "m": pa.array([], pa.binary())}, "holds no images"),
    ],
)
def test_unusable_parquet(tmp_path: Path, columns: Any, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        list_images(write_parquet(tmp_path / "a.parquet", columns))


def test_two_columns_of_the_same_name_are_not_chosen_from(tmp_path: Path) -> None:
    for names in (["m", "m"], ["id", "id", "m"]):
        columns = [pa.array([b"x"]) if name == "m" else pa.array(["a"]) for name in names]
        pq.write_table(pa.Table.from_arrays(columns, names), tmp_path / "a.parquet")
        with pytest.raises(SourceError, match=f"several columns {names[0]}"):
            list_images(str(tmp_path / "a.parquet"))


def test_damaged_parquet_is_an_error_before_the_start(tmp_path: Path) -> None:
    path = Path(write_parquet(tmp_path / "a.parquet", {"m": structs({"a.png": 1})}))
    whole = path.read_bytes()
    for content in (whole[:-10], whole[:100], b"", b"PAR1" * 5):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=r"a\.parquet cannot be read as a Parquet file"):
            list_images(str(path))


def test_damaged_rows_are_unreadable_images(tmp_path: Path) -> None:
    images = [
        {"bytes": png(1), "path": "good.png"},
        {"bytes": b"no image", "path": "bad.png"},
        {"bytes": None, "path": "/etc/hostname"},
        None,
    ]
    uri = write_parquet(tmp_path / "a.parquet", {"m": images})
    sources = list(list_images(uri).images.values())
    assert value(sources[0]) == 1
    for source, reason in zip(
        [*sources[1:], sources[0].replace("row=0", "row=4"), sources[0].replace("=m&", "=n&")],
        ["not an image", "holds no bytes", "holds no bytes", "has 4 rows", "damaged"],
        strict=True,
    ):
        with pytest.raises(UnreadableImageError, match=reason) as failure:
            read_photo(source, LIMIT)
        assert failure.value.uri == source


def test_a_damaged_row_group_leaves_the_others(tmp_path: Path) -> None:
    rows = {f"{i}.png": i for i in range(4)}
    columns = {"m": structs(rows)}
    uri = write_parquet(tmp_path / "a.parquet", columns, row_group_size=2, use_dictionary=False)
    sources = list(list_images(uri).images.values())
    metadata = pq.read_metadata(uri).row_group(0).column(0)
    with open(uri, "r+b") as file:
        file.seek(metadata.data_page_offset)
        file.write(b"\xff" * metadata.total_compressed_size)
    for source in sources[:2]:
        with pytest.raises(UnreadableImageError, match=r"row=. *: cannot be read"):
            read_photo(source, LIMIT)
    assert [value(source) for source in sources[2:]] == [2, 3]


def test_hostile_ids_in_parquet_are_kept(tmp_path: Path) -> None:
    images = [png(i) for i in range(len(HOSTILE))]
    uri = write_parquet(tmp_path / "a.parquet", {"id": HOSTILE, "m": images})
    assert values(uri) == {id: i for i, id in enumerate(HOSTILE)}


def test_where_images_and_shards_lie_together_images_count(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    shard = write_parquet(tmp_path / "metadata.parquet", {"m": [png(2)]})
    listing = list_images(str(tmp_path))
    assert list(listing.images) == ["a"]
    assert listing.ignored == [shard]
    assert list(list_images(f"{tmp_path}#m").images) == ["metadata/000000"]
    with pytest.raises(SourceError, match="holds no shards"):
        (tmp_path / "metadata.parquet").unlink()
        list_images(f"{tmp_path}#m")


def test_a_folder_may_have_a_number_sign_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "c#").mkdir()
    (tmp_path / "c#/d#e.png").write_bytes(png(1))
    assert values(str(tmp_path / "c#")) == {"d#e": 1}
    assert values(f"{tmp_path}/c#/*.png") == {"d#e": 1}
    assert values(str(tmp_path / "c#/d#e.png")) == {"d#e": 1}


def test_shards_on_other_filesystems_stand_in_order(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    for shard in (1, 0):
        path = write_tar(tmp_path / f"{shard}.tar", {f"{1 - shard}{i}.png": png(i) for i in (1, 0)})
        memory.put_file(path, f"/shards/{shard}.tar")
    listing = list_images("memory://shards")
    assert list(listing.images) == ["11", "10", "01", "00"]
    assert listing.images["11"].startswith("memory:///shards/0.tar#offset=512&size=")
    assert [value(source) for source in listing.images.values()] == [1, 0, 1, 0]
    missing = list_images("memory://shards#png").uri_of("none")
    assert missing == "memory://shards#png/none"
    with pytest.raises(UnreadableImageError, match="No such file"):
        read_photo(missing, LIMIT)


def test_random_bytes_are_errors_and_nothing_else(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    tar = Path(write_tar(tmp_path / "a.tar", {f"{i}.png": png(i) for i in range(3)}))
    parquet = Path(write_parquet(tmp_path / "a.parquet", {"m": structs({"a.png": 1, "b.png": 2})}))
    for path in (tar, parquet):
        whole = path.read_bytes()
        for _ in range(150):
            content = bytearray(whole)
            for place in generator.integers(0, len(whole), 3):
                content[place] = generator.integers(256)
            # Row groups are kept by name.
            damaged = path.with_name(f"{os.urandom(8).hex()}{path.suffix}")
            damaged.write_bytes(content)
            try:
                for source in list_images(str(damaged)).images.values():
                    read_photo(source, LIMIT)
            except (SourceError, UnreadableImageError):
                continue
