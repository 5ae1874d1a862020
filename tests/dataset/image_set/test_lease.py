"""The lease of an image set: who gets it, who waits, who takes over, and what is left of it."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from spadepis.dataset.image_set import lease
from spadepis.dataset.image_set.commit_log import commit_files
from spadepis.dataset.image_set.holder import Holder
from spadepis.dataset.image_set.layout import lease_name
from spadepis.dataset.image_set.lease import HeldError, LostError, hold
from spadepis.dataset.storage.folder import STAGING, Folder
from tests.support.s3_service import public_bucket


class Overwriting(MemoryFileSystem):  # type: ignore[misc]
    """A store that ignores the wish to create a file only if it does not exist."""

    protocol = "overwriting"

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        super().pipe_file(path, value, **options)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting is short, but for the clock of S3, which shows whole seconds."""
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(lease, "OLD_SECONDS", 2.5)
    monkeypatch.setattr(lease, "PAUSE_SECONDS", 0.3)


@pytest.fixture(params=["local", "s3", "overwriting"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Folder]:
    fsspec.register_implementation("overwriting", Overwriting, clobber=True)
    if request.param == "local":
        yield Folder(str(tmp_path / "a" / "out"))
    elif request.param == "s3":
        with public_bucket(request.getfixturevalue("service")) as uri:
            yield Folder(f"{uri}/out")
    else:
        yield Folder(f"{request.param}://{tmp_path.name}")


def abandon(folder: Folder, **changes: Any) -> Holder:
    """A lease whose holder was killed, and what it says."""
    holder = replace(Holder.this_process("token"), **changes)
    folder.write(lease_name(3), holder.to_bytes())
    return holder


def process_that_has_ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_lease_is_held_kept_alive_and_leaves_nothing(folder: Folder) -> None:
    with hold(folder, "identity") as held:
        first = folder.modified(lease_name(1))
        assert held.since <= first
        assert folder.names() == [lease_name(1)]
        assert commit_files(folder) == []
        while folder.modified(lease_name(1)) == first:
            time.sleep(0.05)
        held.check()
    assert folder.names() == []
    with pytest.raises(LostError):
        held.check()


def test_a_folder_that_was_made_for_the_lease_goes_with_it(tmp_path: Path) -> None:
    with hold(Folder(str(tmp_path / "a" / "b")), "identity"):
        pass
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    with hold(Folder(str(tmp_path / "mine")), "identity"):
        (tmp_path / "mine" / STAGING).mkdir(exist_ok=True)
        (tmp_path / "mine" / STAGING / "0123").write_bytes(b"ha")
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_second_job_is_refused_and_told_by_whom(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with hold(folder, "identity") as held:
        with (
            pytest.raises(HeldError, match=f"by the job of {held.holder}"),
            hold(folder, "identity"),
        ):
            pass
        assert caplog.text.count("waiting up to") == 1
        held.check()
    assert folder.names() == []


def test_a_job_that_ends_while_another_waits_is_succeeded(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))

    def end_soon() -> None:
        time.sleep(0.2)
        folder.remove(lease_name(3))

    abandon(folder)
    with ExitStack() as stack:
        thread = Thread(target=end_soon)
        thread.start()
        stack.callback(thread.join)
        held = stack.enter_context(hold(folder, "identity"))
        assert held.number == 1


def test_an_old_heartbeat_is_taken_over_after_a_while(folder: Folder) -> None:
    abandon(folder, machine="another")
    start = time.monotonic()
    with hold(folder, "identity") as held:
        assert time.monotonic() - start > lease.OLD_SECONDS - 1.1
        assert held.number == 4
        assert folder.names() == [lease_name(4)]


@pytest.mark.parametrize("reused", [False, True])
def test_a_process_that_has_ended_is_taken_over_at_once(tmp_path: Path, reused: bool) -> None:
    folder = Folder(str(tmp_path))
    holder = Holder.this_process("token")
    if reused:
        assert holder.start is not None
        abandon(folder, start=holder.start - 1)
    else:
        abandon(folder, process=process_that_has_ended())
    start = time.monotonic()
    with hold(folder, "identity") as held:
        assert held.number == 4
    assert time.monotonic() - start < lease.OLD_SECONDS


def test_a_process_that_nobody_has_waited_for_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    holder = replace(Holder.this_process("token"), process=process.pid)
    status = Path(f"/proc/{process.pid}/stat")
    while ") Z " not in status.read_text():
        time.sleep(0.01)
    assert holder.has_ended()
    process.wait()


def test_the_same_process_id_in_another_container_says_nothing() -> None:
    holder = Holder.this_process("token")
    assert not holder.has_ended()
    assert replace(holder, process=process_that_has_ended()).has_ended()
    assert holder.machine is not None
    elsewhere = f"{holder.machine.split()[0]} pid:[1]"
    assert not replace(holder, machine=elsewhere, process=process_that_has_ended()).has_ended()


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"token": 1}'])
def test_a_damaged_lease_counts_until_it_is_old(
    tmp_path: Path,
    content: bytes,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease, "OLD_SECONDS", 0.3)
    caplog.set_level(logging.INFO)
    folder = Folder(str(tmp_path))
    folder.write(lease_name(1), content)
    with hold(folder, "identity") as held:
        assert held.number == 2
    assert "belongs to another job" in caplog.text


def test_a_holder_that_was_taken_over_learns_it_and_leaves_the_new_one_alone(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # It hangs.
        patch.setattr(lease, "HEARTBEAT_SECONDS", 1000)
        with hold(folder, "identity") as first:
            time.sleep(0.2)
            with hold(folder, "identity") as second:
                assert second.number == 2
                with pytest.raises(LostError, match="another job has taken over"):
                    first.check()
                second.check()
        assert folder.names() == []


def test_a_late_heartbeat_does_not_bring_a_lost_lease_back(folder: Folder) -> None:
    with hold(folder, "identity") as first:
        # Another job took over, and then a heartbeat that had been on its way arrived.
        folder.write(lease_name(2), Holder.this_process("other").to_bytes())
        deadline = time.monotonic() + 10
        while folder.exists(lease_name(1)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        folder.remove(lease_name(2))
        time.sleep(3 * lease.HEARTBEAT_SECONDS)
        # So it is for a worker that sees another folder, too.
        with pytest.raises(LostError, match="does not hold the lease of this job: it was removed"):
            first.check()
    assert folder.names() == []


def test_of_many_jobs_that_start_at_once_one_gets_it(folder: Folder) -> None:
    got: list[int] = []
    refused: list[str] = []

    def run(number: int) -> None:
        try:
            with hold(folder, "identity"):
                got.append(number)
                time.sleep(lease.OLD_SECONDS + 0.5)
                assert len(got) == 1
        except HeldError as error:
            refused.append(str(error))

    threads = [Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1 and len(refused) == 5


def test_a_store_that_cannot_create_exclusively_is_named(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with hold(folder, "identity"):
        pass
    named = "cannot tell whether a file exists" in caplog.text
    assert named == folder.uri.startswith("overwriting")


def test_what_a_lease_says_is_read_back(tmp_path: Path) -> None:
    holder = Holder.this_process("token")
    assert Holder.parse(holder.to_bytes()) == holder
    assert "token" in json.loads(holder.to_bytes())
