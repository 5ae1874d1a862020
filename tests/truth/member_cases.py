"""Folders and shards whose images are found, each with its id."""

from __future__ import annotations

import io
import tarfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.truth.case import Case, Reader
from tests.truth.writers import png


def image(value: int) -> bytes:
    """A label map of one value."""
    return png(np.full((4, 6), value, np.uint8), 8)


IDS = ["street/b", "street/a", "street/c"]
IMAGES = [image(value) for value in (1, 2, 3)]
TRUTH = {"street/a": 2, "street/b": 1, "street/c": 3}


@dataclass(frozen=True)
class _Files:
    """Reads what a function wrote into a folder."""

    write: Callable[[Path], None]
    uri: str = ""

    def __call__(self, reader: Reader, folder: Path) -> Mapping[str, int]:
        self.write(folder)
        return reader.values_by_id(f"{folder}{self.uri}")


def _table(**columns: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        pq.write_table(pa.table(columns), folder / "a.parquet")

    return write


def _files(files: Mapping[str, bytes]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return write


def _tar(members: Mapping[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _parquet() -> Iterator[Case]:
    numbers = {"7": 1, "8": 2, "9": 3}
    images = pa.array(IMAGES)
    kinds: Sequence[tuple[str, pa.Array, Mapping[str, int]]] = [
        ("strings", pa.array(IDS), TRUTH),
        ("large strings", pa.array(IDS, pa.large_string()), TRUTH),
        ("string views", pa.array(IDS, pa.string_view()), TRUTH),
        ("a dictionary", pa.array(IDS).dictionary_encode(), TRUTH),
        ("a dictionary of numbers", pa.array([7, 8, 9]).dictionary_encode(), numbers),
        *((f"{kind}", pa.array([7, 8, 9], kind), numbers) for kind in _integers()),
    ]
    for name, ids, truth in kinds:
        for column in ("id", "__key__"):
            write = _table(**{column: ids, "image": images})
            yield Case(f"{column} of {name}", _Files(write), truth)
    for name, ids in {
        "floats": pa.array([1.5, 2.5, 3.5]),
        "bytes": pa.array([id.encode() for id in IDS]),
        "structs": pa.array([{"name": id} for id in IDS]),
        "lists": pa.array([[id] for id in IDS]),
        "dates": pa.array([1, 2, 3], pa.date32()),
    }.items():
        write = _table(id=ids, mask=pa.array([{"bytes": each, "path": None} for each in IMAGES]))
        reason = "not of strings or integers"
        yield Case(f"ids of {name}", _Files(write, "#mask"), None, reason)
    cells = [{"bytes": each, "path": f"{id}.png"} for each, id in zip(IMAGES, IDS, strict=True)]
    for name, column in {
        "binary": pa.array(IMAGES, pa.binary()),
        "large binary": pa.array(IMAGES, pa.large_binary()),
        "binary views": pa.array(IMAGES, pa.binary_view()),
        "lists": pa.array([list(each) for each in IMAGES], pa.list_(pa.uint8())),
        "large lists": pa.array([list(each) for each in IMAGES], pa.large_list(pa.uint8())),
        "structs": pa.array(cells),
    }.items():
        yield Case(f"images in {name}", _Files(_table(id=pa.array(IDS), image=column)), TRUTH)
    yield from _paths()


def _integers() -> Sequence[pa.DataType]:
    return (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64())


def _paths() -> Iterator[Case]:
    names = [f"{id}.png" for id in IDS]
    files = _files({f"data/{name}": each for name, each in zip(names, IMAGES, strict=True)})
    empty = [{"bytes": None, "path": name} for name in names]
    binary = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for name, column in {
        "empty structs": pa.array(empty, binary),
        "structs of paths": pa.array([{"path": name} for name in names]),
        "strings": pa.array(names),
    }.items():

        def write(folder: Path, column: pa.Array = column) -> None:
            files(folder)
            pq.write_table(pa.table({"image": column}), folder / "data" / "a.parquet")

        yield Case(f"paths in {name}", _Files(write, "/data/a.parquet"), TRUTH)

    def outside(folder: Path) -> None:
        (folder / "secret.png").write_bytes(image(9))
        cell = [{"bytes": None, "path": "../secret.png"}]
        (folder / "data").mkdir()
        pq.write_table(pa.table({"image": pa.array(cell, binary)}), folder / "data/a.parquet")

    yield Case("a path that leads out", _Files(outside, "/data/a.parquet"), None, "not below")


def _tars() -> Iterator[Case]:
    names = ("jpg", "JPG", "jpeg", "JPEG", "Jpg", "jfif")
    members: dict[str, bytes] = {}
    for i, suffix in enumerate(names):
        members[f"{i}.{suffix}"] = image(i)
        members[f"{i}.seg.{'PNG' if i % 2 else 'png'}"] = image(10 + i)
    members["note.txt"] = b"no image"
    write = _files({"a.tar": _tar(members)})
    photos = {str(i): i for i in range(len(names))}
    labels = {str(i): 10 + i for i in range(len(names))}
    for extension in ("jpg", "JPG", "jpeg"):
        yield Case(f"members .{extension}", _Files(write, f"#{extension}"), photos)
    for extension in ("seg.png", "seg.PNG", "SEG.png"):
        yield Case(f"members .{extension}", _Files(write, f"#{extension}"), labels)
    shards = [_tar({f"{i}.png": image(i), f"{i}.json": b"{}"}) for i in range(12)]
    joined = _files({"a.tar": b"".join(shards[:4])})
    yield Case("joined tars", _Files(joined), {str(i): i for i in range(4)})
    short = _files({"a.tar": shards[0].rstrip(b"\0") + bytes(2000) + shards[1]})
    refused = "cannot be read as a tar file"
    yield Case("tars joined askew", _Files(short), None, refused)
    rubbish = _files({"a.tar": shards[0] + b"rubbish" * 100})
    yield Case("a tar with rubbish behind", _Files(rubbish), None, refused)
    for suffix, mode in {"tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2"}.items():
        compressed = _tar({"0.png": image(0)}, mode)
        write = _files({f"a.{suffix}": compressed})
        yield Case(f"a {suffix}", _Files(write), None, "compressed tar")
        yield Case(f"a {suffix} as file", _Files(write, f"/a.{suffix}"), None, "compressed tar")
        mixed = _files({f"a.{suffix}": compressed, "b.tar": shards[1]})
        yield Case(f"a {suffix} beside a tar", _Files(mixed), None, "compressed tar")
    hidden = _files({"a.tar": _tar({"0.png": image(0)}, "w:gz")})
    yield Case("a compressed tar named tar", _Files(hidden), None, "compressed")
    many = _files({f"s-{i:03d}.tar": shard for i, shard in enumerate(shards)})
    for pattern, numbers in {
        "s-{000..011}": range(12),
        "s-{002..004}": range(2, 5),
        "s-{004..002}": range(2, 5),
        "s-00{1,3}": (1, 3),
        "s-0{0,1}{0..1}": (0, 1, 10, 11),
        "s-{000..001}*": (0, 1),
    }.items():
        truth = {str(i): i for i in numbers}
        yield Case(f"braces {pattern}", _Files(many, f"/{pattern}.tar"), truth)
    missing = _Files(many, "/s-{000..020}.tar")
    yield Case("braces with too much", missing, None, "s-012.tar does not exist")
    img2dataset: dict[str, bytes] = {}
    for i, shard in enumerate(shards[:3]):
        table = io.BytesIO()
        pq.write_table(pa.table({"key": [str(i)], "url": ["https://example.org/a.jpg"]}), table)
        img2dataset |= {f"{i:05d}.tar": shard, f"{i:05d}.parquet": table.getvalue()}
        img2dataset[f"{i:05d}_stats.json"] = b"{}"
    yield Case("img2dataset", _Files(_files(img2dataset)), {str(i): i for i in range(3)})


def _names() -> Iterator[Case]:
    files = {"gt/a/1_label.png": image(1), "gt/b/2_label.png": image(2)}
    for root in ("city [v2]", "[ab]", "a{b,c}", "{0..3}", "what?", "star*"):
        write = _files({f"{root}/{name}": content for name, content in files.items()})
        truth = {"gt/a/1_label": 1, "gt/b/2_label": 2}
        yield Case(f"root {root}", _Files(write, f"/{root}"), truth)
        glob = f"/{root}/gt/*/*_label.png"
        yield Case(f"glob in {root}", _Files(write, glob), {"a/1": 1, "b/2": 2})
        braces = f"/{root}/gt/{{a,b}}/{{1,2}}_label.png"
        yield Case(f"braces in {root}", _Files(write, braces), None, "does not exist")
    suffixes = ("jfif", "JFIF", "jpe", "JPG", "PnG", "tif", "Bmp")
    write = _files({f"{i}.{suffix}": image(i) for i, suffix in enumerate(suffixes)})
    yield Case("suffixes", _Files(write), {str(i): i for i in range(len(suffixes))})
    both = [unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    write = _files(dict.fromkeys(both, image(1)))
    yield Case("two Unicode forms of a name", _Files(write), None, "Unicode form")


def member_cases() -> Iterator[Case]:
    """All cases of folders and shards."""
    for case in (*_parquet(), *_tars(), *_names()):
        yield Case(f"members: {case.name}", case.read, case.truth, case.refusal)
