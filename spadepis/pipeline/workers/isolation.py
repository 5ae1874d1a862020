"""Doing the scenes of a worker that died one by one, in a process that may die as well."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Any

import cloudpickle

from spadepis.pipeline.repeated_errors import RepeatedError
from spadepis.pipeline.scene import Scene, join_styles
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.workers.attempts import Attempts, Death, Key, WorkerDied, describe
from spadepis.pipeline.workers.worker import Worker

# Someone else may have ended the process the first times.
MOST_DEATHS = 3


class Isolation:
    """Does scenes one by one, and fails those that end their process again and again.

    Where a stage works on each style, so does this: a style photo can be the culprit.

    Args:
        stage: called with one scene at a time.
        patience: seconds that a stage may take for a scene.
        attempts: remembers deaths, even if this process is killed too.
    """

    def __init__(self, stage: StageSpec, patience: float, attempts: Attempts) -> None:
        self._name = stage.declaration.name
        self._by_style = stage.declaration.per_result
        self._attempts = attempts
        self._process = _Process(stage, patience)

    def __call__(self, items: Sequence[Scene]) -> Sequence[Any]:
        """What the stage makes of scenes."""
        return [result for item in items for result in self._do(item)]

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _do(self, item: Scene) -> Sequence[Any]:
        parts = item.by_style() if self._by_style else [item]
        results: list[Sequence[Any]] = []
        killers: list[tuple[Key, Sequence[Death]]] = []
        for part in parts:
            key = (self._name, item.id, _only_style(part) if self._by_style else None)
            # If one style has used up its attempts, the scene may be the culprit.
            result, deaths = self._try(part, key, most=1 if killers else MOST_DEATHS)
            if result is None:
                killers.append((key, deaths))
                error = WorkerDied(f"its worker {describe(deaths)}")
                failed = part.copy()
                failed.fail(self._name, part.source, error, unexpected=True)
                result = self._must_do(failed)
            results.append(result)
        if len(killers) < len(parts):
            for key, deaths in killers:
                self._attempts.suspect(key, deaths)
        return join_styles(results)

    def _try(
        self, part: Scene, key: Key, most: int
    ) -> tuple[Sequence[Any] | None, Sequence[Death]]:
        """What a scene becomes, or None and the deaths of its workers."""
        deaths = self._attempts.deaths_of_bad_style(key)
        if deaths:
            return None, deaths
        self._process.start()
        while len(deaths := self._attempts.begin(key, most)) < most:
            result = self._process.call(part)
            if not isinstance(result, Death):
                self._attempts.succeed(key)
                return result, ()
            self._attempts.die(key, result)
            self._process.start()
        return None, deaths

    def _must_do(self, part: Scene) -> Sequence[Any]:
        deaths: list[Death] = []
        while len(deaths) < MOST_DEATHS:
            result = self._process.call(part)
            if not isinstance(result, Death):
                return result
            deaths.append(result)
        raise RepeatedError(f"{self._name}: with nothing left to do, a worker {describe(deaths)}")


def _only_style(part: Scene) -> str | None:
    """The id of the only style of a scene."""
    return part.styles[0].id if len(part.styles) == 1 else None


class _Process:
    """A worker in a process of its own."""

    def __init__(self, stage: StageSpec, patience: float) -> None:
        self._stage = stage
        self._patience = patience
        self._running: tuple[BaseProcess, Connection] | None = None

    def start(self) -> tuple[BaseProcess, Connection]:
        """Start the process unless it runs.

        Raises:
            RepeatedError: it cannot make the stage, or dies before it has any scene.
        """
        context = multiprocessing.get_context("spawn")
        deaths: list[Death] = []
        while self._running is None:
            ours, theirs = context.Pipe()
            # Unlike pickle, cloudpickle takes along the classes of a script, such as a user's own.
            arguments = (theirs, cloudpickle.dumps(self._stage), self._patience)
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            theirs.close()
            try:
                error = ours.recv()
            except (EOFError, OSError):
                deaths.append(_death(process))
            else:
                if error is not None:
                    raise error
                self._running = process, ours
            if len(deaths) == MOST_DEATHS:
                raise RepeatedError(
                    f"{self._stage.declaration.name}: a worker without any scene "
                    f"{describe(deaths)}; signal 9 usually means that the machine has too little "
                    "memory for it"
                )
        return self._running

    def call(self, item: Scene) -> Sequence[Any] | Death:
        """What the worker returns, or how it died.

        Raises:
            OSError: nothing can be written.
        """
        process, connection = self.start()
        start = monotonic()
        try:
            connection.send([item])
            answer = connection.recv()
        except (EOFError, OSError):
            self._running = None
            death = _death(process)
            if monotonic() - start > self._patience:
                death = Death(death.how, self._patience / 60)
            return death
        if isinstance(answer, OSError):
            raise answer
        results: Sequence[Any] = answer
        return results

    def close(self) -> None:
        """End the process, which stops when nobody can ask it any more."""
        if self._running is not None:
            process, connection = self._running
            connection.close()
            process.join()
            self._running = None


def _death(process: BaseProcess) -> Death:
    process.join()
    status = process.exitcode or 0
    return Death(f"signal {-status}" if status < 0 else f"exit status {status}")


def _serve(connection: Connection, stage: bytes, patience: float) -> None:
    """Do scenes until the other end is closed."""
    try:
        worker = Worker([cloudpickle.loads(stage)], patience=patience)
    except RepeatedError as error:
        connection.send(error)
        return
    connection.send(None)
    while True:
        try:
            items = connection.recv()
        except EOFError:
            return
        answer: Sequence[Any] | OSError
        try:
            answer = worker(items)
        except OSError as error:
            answer = error
        connection.send(answer)
