"""One record of deaths for all workers of a job, which outlives them, and its news in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, cast

import ray
from ray.actor import ActorHandle

from spadepis.pipeline.workers.attempts import Attempts

log = logging.getLogger(__name__)

NAMESPACE = "spadepis"
SECONDS_BETWEEN_LOOKS = 2.0
SECONDS_TO_END = 5.0


def shared_attempts() -> Attempts:
    """The record of this job; it is an actor, which is started when the first worker has died."""
    actor = (
        ray.remote(Attempts)
        .options(
            name=_name(),
            namespace=NAMESPACE,
            get_if_exists=True,
            # It must not end with the worker that needed it first.
            lifetime="detached",
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=-1,
        )
        .remote()
    )
    return cast(Attempts, _Remote(actor))


class _Remote:
    """Calls methods of an actor as if it were here."""

    def __init__(self, actor: ActorHandle) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._actor, name)
        return lambda *arguments: ray.get(method.remote(*arguments))


@contextmanager
def deaths_in_log() -> Iterator[None]:
    """Log deaths of workers when they happen; the record ends with the ``with`` block."""
    ended = Event()
    thread = Thread(target=_report_until, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        # A cluster that is gone does not answer.
        thread.join(SECONDS_TO_END)


def _report_until(ended: Event) -> None:
    """Log the news every few seconds, and end the record."""
    running = True
    while running:
        running = not ended.wait(SECONDS_BETWEEN_LOOKS)
        try:
            actor = ray.get_actor(_name(), NAMESPACE)
        except ValueError:
            # No worker has died so far.
            continue
        for line in ray.get(actor.take_news.remote()):
            log.warning("%s", line)
        if not running:
            ray.kill(actor)


def _name() -> str:
    return f"attempts of job {ray.get_runtime_context().get_job_id()}"
