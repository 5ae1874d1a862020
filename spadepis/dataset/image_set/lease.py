"""The lease of an image set: one job at a time may write to it.

A lease is an object ``_commits/lease-<n>`` that names the process which holds it. It is created
exclusively, written again every few seconds, which is its heartbeat, and removed at the end. Of
several leases that with the highest number counts: a job takes over from one that was killed by
creating the next. So a holder that was believed dead, and its workers, learn that they have lost
the image set, and commit nothing more.
"""

from __future__ import annotations

import logging
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Thread

from spadepis.dataset.image_set.holder import Holder
from spadepis.dataset.image_set.layout import CLOCK, COMMITS, lease_name, lease_number
from spadepis.dataset.storage.folder import STAGING, Folder

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
# A holder without a heartbeat for so long is taken to be dead.
OLD_SECONDS = 30.0
POLL_SECONDS = 1.0
# If a store cannot create exclusively, the lease of a rival is visible after this time.
PAUSE_SECONDS = 10.0
# A heartbeat that hangs in a request does not hold up the end of the job for longer.
LAST_BEAT_SECONDS = 10.0


class HeldError(RuntimeError):
    """Another job holds the image set. Nothing was written."""


class LostError(PermissionError):
    """The image set is another job's, or cannot be seen: this one must not commit any more."""


@dataclass(frozen=True)
class Lease:
    """The lease of a job, which can be sent to the processes of its workers.

    Attributes:
        folder: the image set.
        number: number of the lease.
        holder: the process of the job.
        since: when it was claimed, by the clock of the filesystem.
        identity: hash of what the job makes its images with.
    """

    folder: Folder
    number: int
    holder: Holder
    since: datetime
    identity: str

    def check(self) -> None:
        """Check that no other job has taken over.

        Raises:
            LostError: another job has.
            OSError: the filesystem does not tell.
        """
        if _is_held(self.folder, self.number, self.holder):
            return
        if not _leases(self.folder):
            raise LostError(
                f"on {socket.gethostname()}, {self.folder.uri} does not hold the lease of this "
                "job: it was removed, or the path leads to another folder there, as one on a "
                "disk of each machine's own or in memory does"
            )
        raise LostError(
            f"another job has taken over {self.folder.uri}, because this one gave no sign of "
            f"life for {OLD_SECONDS:.0f} seconds; what it had committed counts"
        )


@contextmanager
def hold(folder: Folder, identity: str) -> Iterator[Lease]:
    """Hold the lease of an image set until the end of the block.

    A holder that was killed is taken over from: at once if its process is known to have ended,
    otherwise when its heartbeat is old. At the end unfinished files are removed, and so is a
    folder that was made for the lease and in which nothing else was written.

    Raises:
        HeldError: another job holds it.
        OSError: the folder cannot be written.
    """
    missing = folder.missing()
    try:
        lease = _claim(folder, identity)
        try:
            with _heartbeat(lease):
                yield lease
        finally:
            with suppress(OSError):
                lease.check()
                folder.clear_staging()
                folder.remove(lease_name(lease.number))
    finally:
        folder.remove_empty([STAGING, COMMITS, *missing])


def _claim(folder: Folder, identity: str) -> Lease:
    while True:
        leases = _leases(folder)
        newest = max(leases, default=0)
        if leases and not _is_abandoned(folder, lease_name(newest)):
            # The lease was removed meanwhile.
            continue
        lease = _create(folder, newest + 1, identity)
        if lease is not None:
            # The oldest first: a holder then finds its own lease gone, or sees the next one.
            for old in leases:
                folder.remove(lease_name(old))
            return lease


def _leases(folder: Folder) -> list[int]:
    """The numbers of all leases, ascending."""
    numbers = map(lease_number, folder.names(COMMITS))
    return sorted(number for number in numbers if number is not None)


def _create(folder: Folder, number: int, identity: str) -> Lease | None:
    """Create a lease; returns None if another job has done so or creates the next one."""
    holder = Holder.this_process(uuid.uuid4().hex)
    name, content = lease_name(number), holder.to_bytes()
    # If the answer to a request is lost, the second request finds what the first has created.
    with suppress(FileExistsError):
        folder.create(name, content)
    if not _is_held(folder, number, holder):
        return None
    if not folder.creates_once(name, content):
        log.info(
            "%s cannot tell whether a file exists when it is written: waiting %.0f seconds for "
            "other jobs that may start at this moment",
            folder.uri,
            PAUSE_SECONDS,
        )
        time.sleep(PAUSE_SECONDS)
        if not _is_held(folder, number, holder):
            return None
    return Lease(folder, number, holder, folder.modified(name), identity)


def _is_held(folder: Folder, number: int, holder: Holder) -> bool:
    """Whether a lease is that of a process, and the last one."""
    try:
        found = Holder.parse(folder.read(lease_name(number)))
    except FileNotFoundError:
        return False
    return found == holder and not folder.exists(lease_name(number + 1))


def _is_abandoned(folder: Folder, name: str) -> bool:
    """Wait until a lease is known to be abandoned; returns False if it is removed meanwhile.

    Raises:
        HeldError: it has a heartbeat.
    """
    try:
        holder = Holder.parse(folder.read(name))
        last = folder.modified(name)
        if holder is not None and holder.has_ended():
            return True
        job = "another job" if holder is None else f"the job of {holder}"
        old = time.monotonic() + OLD_SECONDS - (_time(folder) - last).total_seconds()
        if time.monotonic() < old:
            log.info(
                "%s belongs to %s: waiting up to %.0f seconds for a sign of life of it",
                folder.uri,
                job,
                old - time.monotonic(),
            )
        while time.monotonic() < old:
            time.sleep(POLL_SECONDS)
            if folder.modified(name) != last:
                raise HeldError(
                    f"{folder.uri} is being written by {job}. Wait until it ends, stop it, or "
                    "give another --output"
                )
    except FileNotFoundError:
        return False
    return True


def _time(folder: Folder) -> datetime:
    """The time by the clock of the filesystem."""
    name = f"{CLOCK}{uuid.uuid4().hex}"
    folder.write(name, b"")
    try:
        return folder.modified(name)
    finally:
        folder.remove(name)


def _withdraw(lease: Lease) -> None:
    """Remove a lease that was written again while another job took over.

    Once that job has ended, it would pass for the last one.
    """
    name = lease_name(lease.number)
    with suppress(FileNotFoundError):
        if Holder.parse(lease.folder.read(name)) == lease.holder:
            lease.folder.remove(name)


@contextmanager
def _heartbeat(lease: Lease) -> Iterator[None]:
    """Write a lease again every few seconds, until the end of the block or another has it."""
    ended = Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            # A store that fails for a while may recover before the lease is old.
            with suppress(OSError):
                try:
                    lease.check()
                except LostError:
                    _withdraw(lease)
                    return
                lease.folder.write(lease_name(lease.number), lease.holder.to_bytes())

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(LAST_BEAT_SECONDS)
