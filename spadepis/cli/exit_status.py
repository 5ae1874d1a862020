"""How a command ends: its exit status, and one line for what stopped it."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable

from spadepis.cli.log import log_to_terminal

STOPPED = 1
BAD_CONFIGURATION = 2
# As shells report them: 128 + SIGINT, 128 + SIGPIPE.
INTERRUPTED = 130
BROKEN_PIPE = 141


def exit_status(work: Callable[[], int]) -> int:
    """The status that ``work`` returns, or that of what stopped it, which is printed in a line."""
    # These take a while to import, which ``spadepis --help`` should not.
    from spadepis.checkpoints.errors import CheckpointError
    from spadepis.configuration import ConfigurationError
    from spadepis.dataset.image_set.lease import HeldError
    from spadepis.dataset.image_set.records import DamagedFileError
    from spadepis.dataset.storage.credentials import CredentialsError, without_queries
    from spadepis.dataset.storage.filesystems import FilesystemError
    from spadepis.pipeline.repeated_errors import RepeatedError

    refusals = (ConfigurationError, CheckpointError, CredentialsError, FilesystemError, HeldError)
    log_to_terminal()
    try:
        status = work()
        sys.stdout.flush()
        return status
    except (*refusals, RepeatedError, DamagedFileError) as error:
        print(without_queries(f"error: {error}"), file=sys.stderr)
        return BAD_CONFIGURATION if isinstance(error, refusals) else STOPPED
    except KeyboardInterrupt:
        print("stopped; the same command resumes from here", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        if not _is_closed(sys.stdout.fileno()):
            raise
        # The reader of the output, such as ``head``, has seen enough: what is left is discarded.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _is_closed(pipe: int) -> bool:
    """Whether the other end of a pipe was closed."""
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    return any(events & select.POLLERR for _, events in poll.poll(0))
