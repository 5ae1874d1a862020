"""How a command ends: its exit status, and one line for what stopped it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from spadepis.checkpoints.reading import CheckpointError
from spadepis.configuration import ConfigurationError
from spadepis.dataset.storage.credentials import CredentialsError

BAD_CONFIGURATION = 2
# As shells report it: 128 + SIGINT.
INTERRUPTED = 130


def exit_status(work: Callable[[], int]) -> int:
    """The status that ``work`` returns, or that of what stopped it, which is printed in a line."""
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
    try:
        return work()
    except (ConfigurationError, CheckpointError, CredentialsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_CONFIGURATION
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
