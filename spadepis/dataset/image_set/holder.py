"""The process that holds a lease, and whether it has certainly ended."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

# States of a process that has ended and still has an entry.
ENDED = ("Z", "X", "x")
BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Holder:
    """A process that holds a lease, as the lease names it.

    Attributes:
        token: random, of this lease alone.
        host: name of the machine, for people. Different containers may have the same.
        machine: the running kernel and the namespace of process ids in it, in which ``process``
            is unique; None on a system that does not tell.
        process: its id.
        start: when it started, in ticks since the kernel did. Ids of processes are used again.
    """

    token: str
    host: str
    machine: str | None
    process: int
    start: int | None

    @classmethod
    def this_process(cls, token: str) -> Holder:
        """This process."""
        process = os.getpid()
        return cls(token, socket.gethostname(), _machine(), process, _start(process))

    @classmethod
    def parse(cls, content: bytes) -> Holder | None:
        """What a lease says; None if it is damaged."""
        try:
            return cls(**json.loads(content))
        except (ValueError, TypeError):
            return None

    def to_bytes(self) -> bytes:
        """What a lease says."""
        return json.dumps(asdict(self)).encode()

    def has_ended(self) -> bool:
        """Whether the process is known to have ended. Nothing is known of other machines."""
        if self.machine is None or self.machine != _machine():
            return False
        return _start(self.process) != self.start

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


def _machine() -> str | None:
    try:
        return f"{BOOT.read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _start(process: int) -> int | None:
    """When a process started, in ticks since the kernel did; None if it does not run."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return None
    # The name of the program, in parentheses, may hold anything.
    fields = status.rpartition(")")[2].split()
    return None if fields[0] in ENDED else int(fields[19])
