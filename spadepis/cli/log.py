"""What a command logs, and what of it is shown."""

from __future__ import annotations

import logging

from spadepis.dataset.storage.credentials import without_queries


class WithoutQueries(logging.Formatter):
    """Lines with the time, and without the queries of web addresses."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return without_queries(super().format(record))


def log_to_terminal() -> None:
    """Log what this package does, and of libraries only what they warn of.

    Some libraries of object stores log every request that they make.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(WithoutQueries())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("spadepis").setLevel(logging.INFO)
