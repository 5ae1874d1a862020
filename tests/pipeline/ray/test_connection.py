"""A connection to Ray leaves the process as it was."""

import logging
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
import ray
from ray.data import DataContext

from spadepis.pipeline.ray.cluster import connection, without_greeting

LOGGERS = (None, "ray", "ray.data")
# In a process of its own, because the other tests share a cluster.
pytestmark = pytest.mark.xdist_group("ray")


def state_of_the_process() -> dict[str, Any]:
    """What a connection may change."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    return {
        "environment": dict(os.environ),
        "levels": [logger.level for logger in loggers],
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "progress bars": DataContext.get_current().enable_progress_bars,
        "is initialized": ray.is_initialized(),
    }


def differences_by_phase() -> dict[str, list[str]]:
    """What differs from the state before, during a connection, after it and after an error."""
    # The tests' own cluster has set some.
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        del os.environ[name]
    before = state_of_the_process()

    def differences() -> list[str]:
        return [name for name, value in state_of_the_process().items() if value != before[name]]

    found = {}
    with connection():
        found["during"] = differences()
    found["after"] = differences()
    try:
        with connection():
            raise KeyError
    except KeyError:
        found["after an error"] = differences()
    return found


def test_whatever_is_set_is_undone(capfd: pytest.CaptureFixture[str]) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        found = process.submit(differences_by_phase).result()
    assert {"environment", "progress bars", "is initialized"} <= set(found["during"])
    assert found["after"] == []
    assert found["after an error"] == []
    # Nor does the engine itself say anything.
    assert "logging.cc" not in capfd.readouterr().err


def test_only_the_greeting_is_kept_out(capfd: pytest.CaptureFixture[str]) -> None:
    with without_greeting():
        os.write(2, b"logging.cc:303: Set ray log level from RAY_BACKEND_LOG_LEVEL to 3\n")
        os.write(2, b"a warning\n")
    os.write(2, b"another\n")
    assert capfd.readouterr().err == "a warning\nanother\n"
