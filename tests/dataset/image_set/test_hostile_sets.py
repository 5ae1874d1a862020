"""Image sets that somebody else made name files outside of themselves: none of them is read."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spadepis import ImageSet
from spadepis.cli.main import inspect_image_set
from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commit_log import write_commits
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.image_set.layout import CONFIGURATION, MANIFEST, METADATA
from spadepis.dataset.image_set.records import DamagedFileError, write_record
from spadepis.dataset.image_set.sealed_parquet import SealError, seal, unseal
from spadepis.dataset.storage.folder import Folder

PICTURE = np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """An image set, beside private files of the user who reads it."""
    local = request.param == "local"
    root = str(tmp_path) if local else f"memory://{tmp_path.name}"
    private = Folder(root)
    private.write("private.png", encode_png(PICTURE))
    cell = {"bytes": encode_png(PICTURE), "path": None}
    private.write("private.parquet", seal(pa.table({"image": [cell]})))
    return Folder(f"{root}/set")


@pytest.mark.parametrize(
    "name",
    [
        "../private.png",
        "images/../../private.png",
        "{parent}/private.png",
        "../private.parquet#column=image&row=0",
        "{parent}/private.parquet#column=image&row=0",
        "data/a.parquet::{parent}/private.parquet#column=image&row=0",
    ],
)
def test_no_name_leads_out_of_the_set(
    name: str, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    name = name.format(parent=folder.uri.rpartition("/")[0])
    commit = Commit("a", "s", None, None, file_name=name, height=8, width=8)
    write_commits(folder, [commit])
    write_record(folder, CONFIGURATION, {})
    rows = pa.Table.from_pylist([commit.__dict__ | {"quality": None, "seconds": None}])
    folder.write(METADATA, seal(rows.select(["file_name", "mask_id", "style_id"])))
    with pytest.raises((ValueError, FileNotFoundError)):
        ImageSet(folder.uri)[0]
    with pytest.raises((ValueError, FileNotFoundError)):
        ImageSet(folder.uri, cache=f"{folder.uri}/cache")[0]
    assert inspect_image_set(folder.uri, verify=True) == 1
    shown = capsys.readouterr().out
    assert "leads out of the image set" in shown or "missing" in shown


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("_SUCCESS", b'{"status": '),
        ("_SUCCESS", b"[" * 100_000),
        ("_SUCCESS", b"[]"),
        ("metadata.parquet", b"PAR1"),
    ],
)
def test_a_damaged_index_is_an_error_in_a_line(name: str, content: bytes, tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write(METADATA, seal(pa.table({"file_name": ["a.png"]})))
    folder.write(name, content)
    with pytest.raises(DamagedFileError) as error:
        ImageSet(folder.uri)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_metadata_that_differ_from_their_hash_are_damaged(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    content = seal(pa.table({"file_name": ["a.png"]}))
    folder.write(METADATA, content)
    for sha256 in (None, hashlib.sha256(content).hexdigest()):
        write_record(folder, MANIFEST, {} if sha256 is None else {"sha256": {METADATA: sha256}})
        assert len(ImageSet(folder.uri)) == 1
    folder.write(METADATA, seal(pa.table({"file_name": ["b.png"]})))
    with pytest.raises(DamagedFileError, match="its SHA-256 is not that in _SUCCESS"):
        ImageSet(folder.uri)


def test_no_damage_to_a_checksum_is_more_than_damage() -> None:
    content = seal(pa.table({"a": [1]}))
    schema = unseal(content).schema.with_metadata({"sha256": ""})
    damaged = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}, schema=schema), damaged)
    with pytest.raises(SealError, match="checksum"):
        unseal(damaged.getvalue())
