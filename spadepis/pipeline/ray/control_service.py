"""Noticing that the control service of a cluster, Ray's GCS, is lost."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from spadepis.pipeline.ray.processes import kill_all, started

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 2.0
LONGEST_SECONDS = 2.0
# So many attempts in a row fail before the service is taken to be lost.
ATTEMPTS = 3
STOPPED = 1


@contextmanager
def watched(address: str) -> Iterator[None]:
    """End this process with status 1 if the control service is lost during the block.

    The address is HOST:PORT. Ray would do so too, but only after a minute of silence, in which it
    cannot be shut down.
    """
    ended = Event()
    Thread(target=_watch, args=(address, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _watch(address: str, ended: Event) -> None:
    failed = 0
    while failed < ATTEMPTS:
        if ended.wait(SECONDS_BETWEEN):
            return
        failed = 0 if _answers(address) else failed + 1
    log.error(
        "error: Ray's control service (gcs_server) at %s is lost; the same command resumes from "
        "here",
        address,
    )
    # Otherwise some processes of a cluster on this machine would never end.
    kill_all(started())
    os._exit(STOPPED)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), LONGEST_SECONDS).close()
    except OSError:
        return False
    return True
