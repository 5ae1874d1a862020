"""What a command logs, and what of it is shown."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from spadepis.dataset.storage.credentials import without_queries


class TextLines(logging.Formatter):
    """Lines with the time, and without the queries of web addresses."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return without_queries(super().format(record))


class JsonLines(logging.Formatter):
    """JSON objects with the time in UTC, without the queries of web addresses."""

    def format(self, record: logging.LogRecord) -> str:
        """The object of a record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_queries(super().format(record)),
        }
        return json.dumps(line, ensure_ascii=False)


def log_to_terminal() -> None:
    """Log what this package does, and of libraries only what they warn of.

    Some libraries of object stores log every request that they make.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("spadepis").setLevel(logging.INFO)


def log_as_json() -> None:
    """From now on, log JSON objects."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, TextLines):
            handler.setFormatter(JsonLines())


def say(message: str, error: bool = False) -> None:
    """Say how a command ends: in a line, or as an object where the log consists of them."""
    if any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers):
        logging.getLogger("spadepis").log(logging.ERROR if error else logging.INFO, "%s", message)
        return
    print(without_queries(f"error: {message}" if error else message), file=sys.stderr)
