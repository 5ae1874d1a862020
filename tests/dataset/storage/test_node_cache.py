"""Copies on this node of files in a store: one download, whole files, fresh ones, bounded."""

import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from spadepis.dataset.inputs import shards
from spadepis.dataset.inputs.shards import read_source_once
from spadepis.dataset.storage.filesystems import s3_environment, storage_environment
from spadepis.dataset.storage.folder import Folder
from spadepis.dataset.storage.node_cache import local_copy
from tests.support.s3_service import Service

PROCESSES = 8
WEIGHTS = bytes(range(256)) * 4096
Use = Callable[[str], bytes]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this node that copies go below."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_an_image_is_read_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a node whose disk is full or read-only."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    Folder("memory://kept").write("a.png", b"content")
    assert read_source_once("memory://kept/a.png", 1 << 30) == b"content"
    with pytest.raises(FileNotFoundError):
        read_source_once("memory://kept/b.png", 1 << 30)


@pytest.mark.parametrize("folder", ["", "none"])
def test_an_image_that_cannot_be_read_is_tried_once(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trying takes long where a store does not answer."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / folder))
    Folder("memory://kept").write("c.png", b"content")
    tried: list[str] = []

    def fail(source: str, most_bytes: int) -> bytes:
        tried.append(source)
        raise TimeoutError

    monkeypatch.setattr(shards, "read_source", fail)
    with pytest.raises(TimeoutError):
        read_source_once("memory://kept/c.png", 1 << 30)
    assert tried == ["memory://kept/c.png"]


@pytest.fixture
def gets(service: Service, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each object was asked for."""
    count: Counter[str] = Counter()
    application = service.application

    def counting(environ: dict[str, str], start_response: object) -> object:
        if environ["REQUEST_METHOD"] == "GET":
            count[Path(environ["PATH_INFO"]).name] += 1
        return application(environ, start_response)

    monkeypatch.setattr(service, "application", counting)
    return count


def read_copy(uri: str) -> bytes:
    return Path(local_copy(uri)).read_bytes()


def read_image(uri: str) -> bytes:
    return read_source_once(uri, 1 << 30)


def read_elsewhere(use: Use, uri: str, endpoint: str, temporary: str) -> bytes:
    """``use`` in another process of the same node."""
    tempfile.tempdir = temporary
    with storage_environment(s3_environment(endpoint, anonymous=True)):
        return use(uri)


@pytest.mark.parametrize("use", [read_copy, read_image])
def test_processes_that_ask_at_once_cause_one_download(
    use: Use, service: Service, bucket: str, gets: Counter[str], temporary: Path
) -> None:
    Folder(bucket).write("weights.pth", WEIGHTS)
    uri = f"{bucket}/weights.pth"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context) as pool:
        arguments = [use], [uri], [service.endpoint], [str(temporary)]
        found = list(pool.map(read_elsewhere, *(argument * PROCESSES for argument in arguments)))
    assert found == [WEIGHTS] * PROCESSES
    assert gets["weights.pth"] == 1


@pytest.mark.parametrize("use", [read_copy, read_image])
def test_what_was_changed_is_fetched_anew(use: Use, bucket: str, gets: Counter[str]) -> None:
    for content in (b"old", b"new"):
        Folder(bucket).write("a.pth", content)
        assert [use(f"{bucket}/a.pth") for _ in range(3)] == [content] * 3
    assert gets["a.pth"] == 2


def test_copies_are_whole_where_the_service_fails(service: Service, bucket: str) -> None:
    names = [f"{i}.safetensors" for i in range(20)]
    for name in names:
        Folder(bucket).write(name, name.encode() + WEIGHTS)
    service.fail_from_now_on(rate=0.1)
    for name in names:
        assert read_copy(f"{bucket}/{name}") == name.encode() + WEIGHTS
        assert local_copy(f"{bucket}/{name}").endswith(f"/{name}")
    assert service.failed > 3


def test_an_image_in_a_shard_is_one_copy(bucket: str, gets: Counter[str]) -> None:
    Folder(bucket).write("a.tar", b"0123456789")
    for _ in range(2):
        for offset in (2, 5):
            source = f"{bucket}/a.tar#offset={offset}&size=3"
            assert read_image(source) == b"0123456789"[offset : offset + 3]
    assert gets["a.tar"] == 2


def test_the_oldest_images_go(
    bucket: str, gets: Counter[str], temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "MOST_KEPT_BYTES", 3 * len(WEIGHTS))
    for name in "abcde":
        Folder(bucket).write(name, WEIGHTS)
    for name in "abcadae":
        assert read_image(f"{bucket}/{name}") == WEIGHTS
    # The one in use again and again stays.
    assert gets["a"] == 1
    kept = list((temporary / next(temporary.iterdir()) / "images").iterdir())
    assert len(kept) == 3
    assert read_image(f"{bucket}/b") == WEIGHTS
    assert gets["b"] == 2


def test_local_files_are_read_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a::b.pth"
    path.write_bytes(b"here")
    assert local_copy(str(path)) == str(path)
    assert read_image(str(path)) == b"here"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        read_image(str(tmp_path / "none"))


def test_what_is_not_there_is_told(bucket: str, temporary: Path) -> None:
    for use in (read_copy, read_image):
        with pytest.raises(FileNotFoundError):
            use(f"{bucket}/none.pth")


def test_a_folder_of_another_user_is_not_used(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Folder(bucket).write("a.pth", b"weights")
    mine = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: mine + 1)
    with pytest.raises(PermissionError, match="another user's"):
        read_copy(f"{bucket}/a.pth")
