"""How a command ends: its exit status, and one line for what stopped it."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from spadepis.cli.log import log_to_terminal, say

STOPPED = 1
BAD_CONFIGURATION = 2
# As shells report them: 128 + SIGINT, 128 + SIGPIPE, 128 + SIGTERM.
INTERRUPTED = 130
BROKEN_PIPE = 141
TERMINATED = 143
RESUMES = "the same command resumes from here"


class Termination(KeyboardInterrupt):
    """SIGTERM has come. Whatever deals with Ctrl-C deals with it alike."""


def exit_status(work: Callable[[], int], resumes: bool = False) -> int:
    """The status that ``work`` returns, or that of what stopped it, which is printed in a line.

    Args:
        work: what is done.
        resumes: whether what was stopped resumes when it is started again.
    """
    # These take a while to import, which ``spadepis --help`` should not.
    from spadepis.checkpoints.errors import CheckpointError
    from spadepis.configuration import ConfigurationError
    from spadepis.dataset.image_set.lease import HeldError
    from spadepis.dataset.image_set.records import DamagedFileError
    from spadepis.dataset.storage.credentials import CredentialsError
    from spadepis.dataset.storage.filesystems import FilesystemError
    from spadepis.pipeline.repeated_errors import RepeatedError

    refusals = (ConfigurationError, CheckpointError, CredentialsError, FilesystemError, HeldError)
    log_to_terminal()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The encoding of the terminal may lack letters of file names.
        sys.stdout.reconfigure(errors="backslashreplace")
    hint = f"; {RESUMES}" if resumes else ""
    try:
        with _terminable():
            status = work()
        # There may be no output at all.
        print(end="", flush=True)
        return status
    except (*refusals, RepeatedError, DamagedFileError) as error:
        say(str(error), error=True)
        return BAD_CONFIGURATION if isinstance(error, refusals) else STOPPED
    except KeyboardInterrupt as interruption:
        say(f"stopped{hint}")
        return TERMINATED if isinstance(interruption, Termination) else INTERRUPTED
    except OSError as error:
        # Else the pipe was the connection to a store.
        if isinstance(error, BrokenPipeError) and _is_closed(sys.stdout.fileno()):
            # The reader of the output, such as ``head``, has seen enough: the rest is discarded.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        say(f"{_text(error)}{hint}", error=True)
        return STOPPED


@contextmanager
def _terminable() -> Iterator[None]:
    """Within this block SIGTERM stops the process like Ctrl-C, so that it can clean up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        # The first one is enough; cleaning up is not interrupted.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Termination

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except SystemExit as end:
        # While Ray starts, it has a handler of its own.
        if end.code == signal.SIGTERM:
            raise Termination from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _text(error: OSError) -> str:
    from spadepis.filesystem_errors import reason

    if error.filename is not None and error.strerror is not None:
        return f"{error.filename}: {error.strerror}"
    return reason(error)


def _is_closed(pipe: int) -> bool:
    """Whether the other end of a pipe was closed."""
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    return any(events & select.POLLERR for _, events in poll.poll(0))
