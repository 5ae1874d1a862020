"""Whole objects on any filesystem: retries, refusals and what counts as what."""

import errno
import os
import pickle
import re
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import aiohttp
import fsspec
import pytest
from aiohttp.http_exceptions import ContentLengthError
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError
from fsspec.implementations.memory import MemoryFileSystem
from s3fs.errors import translate_boto_error

from spadepis.dataset.storage import retrying
from spadepis.dataset.storage.credentials import (
    CredentialsError,
    refuse_credentials,
    without_queries,
)
from spadepis.dataset.storage.errors import is_transient
from spadepis.dataset.storage.filesystems import (
    FilesystemError,
    filesystem,
    s3_environment,
    storage_environment,
)
from spadepis.dataset.storage.folder import STAGING, Folder
from spadepis.dataset.storage.reading import RangeFile, read, read_range
from spadepis.dataset.storage.replacement import replacing
from spadepis.filesystem_errors import PACKAGE_ERRORS, filesystem_errors, reason


def s3_error(status: int, code: str = "") -> BaseException:
    """What s3fs makes of an answer of S3."""
    answer = {
        "Error": {"Code": code or str(status), "Message": "told by the server"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    error: BaseException = translate_boto_error(ClientError(answer, "GetObject"))
    return error


def cut_off() -> BaseException:
    """What aiohttp makes of an answer that breaks off; its cause has the status of a parser."""
    try:
        raise aiohttp.ClientPayloadError("cut off") from ContentLengthError("6 of 12 bytes")
    except aiohttp.ClientPayloadError as error:
        return error


def web_error(status: int) -> aiohttp.ClientResponseError:
    request: Any = None
    return aiohttp.ClientResponseError(request, (), status=status)


@pytest.mark.parametrize(
    "error",
    [
        s3_error(500, "InternalError"),
        s3_error(503, "SlowDown"),
        s3_error(429),
        s3_error(409, "ConditionalRequestConflict"),
        s3_error(502),
        web_error(503),
        TimeoutError(),
        ConnectionResetError(),
        OSError(errno.EIO, "input/output error"),
        cut_off(),
        aiohttp.ServerDisconnectedError(),
        ReadTimeoutError(endpoint_url="http://host"),
    ],
    ids=repr,
)
def test_troubles_that_may_pass(error: BaseException) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        s3_error(404, "NoSuchKey"),
        s3_error(403, "AccessDenied"),
        s3_error(400, "InvalidArgument"),
        web_error(401),
        FileNotFoundError(),
        PermissionError(),
        IsADirectoryError(),
        OSError(errno.ENOSPC, "no space left"),
        NoCredentialsError(),
        ValueError("embedded null byte"),
    ],
    ids=repr,
)
def test_troubles_that_stay(error: BaseException) -> None:
    assert not is_transient(error)


class Flaky(MemoryFileSystem):  # type: ignore[misc]
    """Fails every operation so many times before it is done."""

    protocol = "flaky"
    failures: list[BaseException] = []  # noqa: RUF012

    def fail(self) -> None:
        if self.failures:
            raise self.failures.pop()

    def info(self, path: str, **options: Any) -> Any:
        self.fail()
        return super().info(path, **options)

    def cat_file(self, path: str, **options: Any) -> Any:
        self.fail()
        return super().cat_file(path, **options)

    def pipe_file(self, path: str, value: bytes, **options: Any) -> Any:
        self.fail()
        return super().pipe_file(path, value, **options)

    def find(self, path: str, **options: Any) -> Any:
        self.fail()
        return super().find(path, **options)


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Folder:
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    monkeypatch.setattr(retrying, "FIRST_WAIT_SECONDS", 0.001)
    Flaky.failures = []
    return Folder(f"flaky://{tmp_path.name}")


@pytest.mark.parametrize(
    "operation",
    [
        lambda folder: folder.read("a/b"),
        lambda folder: folder.write("a/b", b"new"),
        lambda folder: folder.exists("a/b"),
        lambda folder: folder.names(),
    ],
)
def test_operations_are_tried_again_but_not_forever(
    flaky: Folder, operation: Callable[[Folder], object]
) -> None:
    flaky.write("a/b", b"content")
    undisturbed = operation(flaky)
    Flaky.failures += [s3_error(503)] * (retrying.ATTEMPTS - 1)
    assert operation(flaky) == undisturbed
    assert not Flaky.failures
    Flaky.failures += [s3_error(503)] * 100
    with pytest.raises(OSError, match="told by the server"):
        operation(flaky)
    assert len(Flaky.failures) == 100 - retrying.ATTEMPTS
    # That cannot pass is told at once, as an OSError whatever it is.
    Flaky.failures[:] = [NoCredentialsError()] * 2
    with pytest.raises(OSError, match="NoCredentialsError: Unable to locate"):
        operation(flaky)
    assert len(Flaky.failures) == 1


def test_what_no_filesystem_raises_is_an_error_of_the_program(flaky: Folder) -> None:
    Flaky.failures = [AttributeError("a slip")]
    with pytest.raises(AttributeError, match="a slip"):
        flaky.read("a/b")


@pytest.mark.parametrize("module", PACKAGE_ERRORS)
def test_the_errors_of_packages_exist(module: str) -> None:
    package = pytest.importorskip(module)
    assert {getattr(package, name) for name in PACKAGE_ERRORS[module]} <= set(filesystem_errors())


def test_a_folder_reads_writes_lists_and_stays_inside(tmp_path: Path) -> None:
    for uri in (f"{tmp_path}/out/", f"memory://{tmp_path.name}/"):
        folder = Folder(uri)
        assert not folder.exists() and folder.names() == []
        folder.write("a/b.txt", b"1")
        folder.write("c", b"22")
        folder.write("c", b"3")
        assert folder.names() == ["a/b.txt", "c"]
        assert folder.names("a") == ["a/b.txt"]
        assert folder.read("c") == b"3"
        assert folder.exists() and folder.exists("c") and not folder.exists("c/d")
        assert folder.names("c/d") == []
        folder.remove("c")
        folder.remove("c")
        with pytest.raises(FileNotFoundError):
            folder.read("c")
        for name in ("../x", "/etc/passwd", "a/../../x"):
            with pytest.raises(ValueError, match="outside of the folder"):
                folder.read(name)
            with pytest.raises(ValueError, match="outside of the folder"):
                folder.write(name, b"")


def test_a_file_is_replaced_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "a.txt"
    for content in ("before", "after"):
        with replacing(path) as unfinished:
            unfinished.write_text(content)
            assert not path.exists() or path.read_text() == "before"
        assert path.read_text() == content

    def fail(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("os.replace", fail)
    folder = Folder(str(path.parent))
    with pytest.raises(OSError, match="no space left"):
        folder.write("a.txt", b"too much")
    with pytest.raises(KeyError), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise KeyError
    assert path.read_text() == "after"
    assert folder.names() == ["a.txt"]


def test_unfinished_files_of_a_killed_writer_are_cleared(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("a.txt", b"whole")
    (tmp_path / STAGING / "0123").write_bytes(b"ha")
    folder.clear_staging()
    assert folder.names() == ["a.txt"]
    folder.clear_staging()


def test_a_file_whose_staging_is_cleared_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(str(tmp_path))
    replace = os.replace
    cleared: list[Path] = []

    def clear_first(source: Path, target: Path) -> None:
        if len(cleared) < retrying.ATTEMPTS - 1:
            cleared.append(source)
            folder.clear_staging()
        replace(source, target)

    monkeypatch.setattr("os.replace", clear_first)
    folder.write("a.txt", b"whole")
    assert folder.read("a.txt") == b"whole" and len(set(cleared)) == retrying.ATTEMPTS - 1
    monkeypatch.setattr("os.replace", lambda *_: folder.read("none"))
    with pytest.raises(FileNotFoundError):
        folder.write("a.txt", b"more")


def test_staging_that_cannot_be_cleared_stays(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    (tmp_path / STAGING / "folder").mkdir(parents=True)
    (tmp_path / STAGING / "file").write_bytes(b"")
    folder.clear_staging()
    assert [path.name for path in (tmp_path / STAGING).iterdir()] == ["folder"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_created_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:

        def no_links(source: object, target: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "no links")

        monkeypatch.setattr("os.link", no_links)
    for folder in (Folder(f"{tmp_path}/out"), Folder(f"memory://{tmp_path.name}")):
        folder.create("a/b", b"1")
        with pytest.raises(FileExistsError):
            folder.create("a/b", b"2")
        assert folder.creates_once("a/b", b"1")
        assert folder.read("a/b") == b"1"
        folder.write("c", b"1")
        assert folder.modified("a/b") <= folder.modified("c")
        with pytest.raises(FileNotFoundError):
            folder.modified("d")
    assert list((tmp_path / "out" / STAGING).iterdir()) == []


def test_folders_that_were_made_and_are_empty_are_removed(tmp_path: Path) -> None:
    folder = Folder(f"{tmp_path}/a/b")
    made = folder.missing()
    assert made == [tmp_path / "a" / "b", tmp_path / "a"]
    folder.write("c/d", b"")
    assert folder.missing() == Folder("memory://a").missing() == []
    folder.remove_empty(["c", *made])
    assert folder.names() == ["c/d"]
    folder.remove("c/d")
    folder.remove_empty(["c", STAGING, *made])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Folder("out")
    folder.write("a", b"1")
    monkeypatch.chdir("/")
    assert pickle.loads(pickle.dumps(folder)).read("a") == b"1"
    with get_context("fork").Pool(1) as pool:
        assert pool.apply(folder.read, ("a",)) == b"1"


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: str) -> Any:
        if str(path).endswith("inner"):
            raise PermissionError(errno.EACCES, "denied", str(path))
        return scandir(path)

    scandir = os.scandir
    (tmp_path / "inner").mkdir()
    with monkeypatch.context() as patch, pytest.raises(PermissionError, match="inner: denied"):
        patch.setattr(os, "scandir", denied)
        Folder(str(tmp_path)).names()
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(OSError, match="loop links to a folder that contains it"):
        Folder(str(tmp_path)).names()


def test_folders_that_link_to_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.png").touch()
        (tmp_path / name / "link").symlink_to(tmp_path / other)
    with pytest.raises(OSError, match="link links to a folder that contains it"):
        Folder(str(tmp_path)).names()
    (tmp_path / "b" / "link").unlink()
    assert Folder(str(tmp_path)).names() == ["a/a.png", "a/link/b.png", "b/b.png"]


@pytest.mark.parametrize("name", ["my::masks", "file:x", "s3:x"])
def test_a_relative_path_is_local_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Folder(name).write("a.png", b"a")
    assert (tmp_path / name / "a.png").read_bytes() == b"a"
    assert filesystem(name)[1] == str(tmp_path / name)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://KEY:secret@bucket/masks",
        "s3://KEY:sec/ret@bucket/masks",
        "s3://:secret@bucket",
        "simplecache::s3://KEY:secret@bucket/a",
        "https://user:secret@host/a",
        "https://secret@host/a",
        "http://host/a?X-Amz-Credential=secret&b=1",
        "abfs://c@account.dfs.core.windows.net/a?sv=1&sig=secret",
        "gs://bucket/a?access_token=secret",
        "https://host/a?version=3&%73ig=secret",
        "https://host/a?version=3;%2573ecret=secret",
        "https://host/a.parquet#connection_string=secret",
        "https://host/a#jwt=secret",
        "s3://bucket/a?AWSAccessKeyId=secret",
    ],
)
def test_credentials_in_a_uri_are_refused_without_repeating_them(uri: str) -> None:
    for refuse in (refuse_credentials, Folder):
        with pytest.raises(CredentialsError) as refusal:
            refuse(uri)
        assert "secret" not in str(refusal.value) and "KEY" not in str(refusal.value)


@pytest.mark.parametrize(
    "uri",
    [
        "/data/a:b@c",
        "s3://bucket/a:b@c",
        "s3://bucket/data/*.parquet#mask",
        "abfs://container@account.dfs.core.windows.net/a",
        "http://127.0.0.1:9000",
        "http://127.0.0.1:9000/a@b",
        "https://host/a?version=3",
        "https://host/a.parquet?download=1#image_key",
        "s3://bucket/a.parquet#column=image&row=3",
        "s3://bucket/a.tar#offset=3&size=5",
    ],
)
def test_other_uris_are_not_refused(uri: str) -> None:
    refuse_credentials(uri)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/a.png?version=3", "https://host/a.png"),
        (
            "no https://host/a?b=1#image, nor 'http://host/c?d=2'",
            "no https://host/a#image, nor 'http://host/c'",
        ),
        (
            "simplecache::https://host/a?b=1 cannot be read",
            "simplecache::https://host/a cannot be read",
        ),
        ("s3://bucket/img?.png and /data/img?.png", "s3://bucket/img?.png and /data/img?.png"),
    ],
)
def test_queries_of_web_addresses_are_not_shown(text: str, shown: str) -> None:
    assert without_queries(text) == shown


@pytest.mark.parametrize(
    ("uri", "package", "reason"),
    [
        ("gs://bucket/a", "gcsfs", "pip install 'spadepis[gcs]'"),
        ("abfs://c/a", "adlfs", "pip install 'spadepis[azure]'"),
        ("s3://bucket/a", "s3fs", "pip install 'spadepis[s3]'"),
        ("https://host/a", "aiohttp", "pip install 'spadepis[http]'"),
        ("nothing://a", "", "Protocol not known: nothing"),
    ],
)
def test_what_is_missing_for_a_scheme_is_said(
    uri: str, package: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = sys.modules["fsspec.registry"].__dict__["_registry"]
    monkeypatch.delitem(known, uri.partition(":")[0], raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.http", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FilesystemError, match=re.escape(reason)):
        Folder(uri)


def test_no_name_leads_out_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "private").write_bytes(b"secret")
    for uri in (str(tmp_path / "set"), "memory://set"):
        folder = Folder(uri)
        folder.write("a", b"")
        names = ["../private", "a/../../private", f"{tmp_path}/private", "b/.."]
        if uri.startswith("memory"):
            names.append(f"zip://a::file://{tmp_path}/private")
        for name in names:
            for use in (folder.read, folder.uri_of, folder.exists, folder.remove):
                with pytest.raises(ValueError, match="outside of the folder"):
                    use(name)


def test_a_local_name_may_look_like_a_chain_of_filesystems(tmp_path: Path) -> None:
    path = tmp_path / "a::b.png"
    path.write_bytes(b"12345")
    assert read(str(path)) == b"12345"
    assert read_range(str(path), 1, 3) == b"234"
    assert read_range(str(path), 5, 0) == b""
    with pytest.raises(OSError, match="ends before byte 6"):
        read_range(str(path), 4, 2)
    with pytest.raises(OSError, match="null byte"):
        read(f"{tmp_path}/a\0b")


def test_a_range_file_reads_like_a_file(tmp_path: Path) -> None:
    content = bytes(range(100))
    (tmp_path / "a").write_bytes(content)
    file = RangeFile(str(tmp_path / "a"))
    assert file.read(10) == content[:10]
    assert file.seek(-10, os.SEEK_END) == file.tell() == 90
    # As little is allocated as there is.
    assert file.read(1 << 60) == content[90:]
    assert file.read() == b""
    file.seek(50)
    assert file.seek(5, os.SEEK_CUR) == 55
    buffer = bytearray(20)
    assert file.readinto(buffer) == 20
    assert buffer == content[55:75]


def test_settings_of_s3_reach_fsspec_and_no_further() -> None:
    variables = s3_environment("http://127.0.0.1:1", anonymous=True)
    assert s3_environment(None, anonymous=False) == {}
    with storage_environment(variables):
        fs, _ = filesystem("s3://bucket")
        assert fs.endpoint_url == "http://127.0.0.1:1"
        # Older versions of fsspec hand the text of the variable on.
        assert fs.anon in (True, "true")
    fs, _ = filesystem("s3://bucket")
    assert (fs.endpoint_url, fs.anon) == (None, False)


def test_a_reason_is_one_line() -> None:
    """Errors of Azure go on with the id of the request and the answer in XML."""
    assert reason(OSError("The container does not exist.\nRequestId: 1")) == (
        "The container does not exist."
    )
    assert reason(ValueError()) == "ValueError"
