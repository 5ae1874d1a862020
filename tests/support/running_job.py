"""A job in processes of its own, and killing them at random moments."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from signal import Signals
from time import sleep
from types import TracebackType
from typing import Self

import psutil

JOBS = Path(__file__).parents[2] / "jobs"
POLL_SECONDS = 0.05
# Between the moment that an actor is ready and its end.
LONGEST_LIFE_SECONDS = 2.5
# Without a driver workers end by themselves; some of the others of Ray do not.
SECONDS_TO_VANISH = 3


class Victim(StrEnum):
    """What is killed."""

    DRIVER = "driver"
    SYNTHESIS = "synthesis actor"
    SMOOTHING = "smoothing actor"
    WRITER = "writer"


STAGES = {Victim.SYNTHESIS: "synthesize", Victim.SMOOTHING: "smooth", Victim.WRITER: "write"}


@dataclass(frozen=True)
class Kills:
    """How often processes were killed, and others came in their place."""

    kills: int = 0
    restarts: int = 0

    def __add__(self, other: "Kills") -> "Kills":
        return Kills(self.kills + other.kills, self.restarts + other.restarts)


class RunningJob:
    """The driver of a job, which starts a cluster of its own, with all processes below it.

    Args:
        flags: of the job.
        log: what it prints is added to this file.
        variables: more of its environment; what a PYTHONPATH has is put before the present one.
        job: name of the script.
    """

    def __init__(
        self,
        flags: Sequence[str],
        log: Path,
        variables: Mapping[str, str] | None = None,
        job: str = "synthesize_and_stylize",
    ) -> None:
        environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
        for name, value in (variables or {}).items():
            before = environment.get(name) if name == "PYTHONPATH" else None
            environment[name] = os.pathsep.join(filter(None, (value, before)))
        self._log = log
        with log.open("ab") as file:
            self._driver = psutil.Popen(
                [sys.executable, str(JOBS / f"{job}.py"), *flags],
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.runs:
            end(self.kill())

    @property
    def runs(self) -> bool:
        return self._driver.poll() is None

    @property
    def status(self) -> int | None:
        """Exit status of the driver, once it has ended."""
        status: int | None = self._driver.poll()
        return status

    @property
    def process(self) -> int:
        """The id of the driver."""
        return int(self._driver.pid)

    def send(self, number: Signals) -> None:
        """Send a signal to the driver alone."""
        self._driver.send_signal(number)

    def wait_for_status(self) -> int:
        """The exit status, when the job has ended."""
        return int(self._driver.wait())

    def workers(self, stage: str) -> list[psutil.Process]:
        """The actors that host a stage, alone or with others, and are past their constructor."""
        hosts = re.compile(rf"\(MapBatches\((?:\w+\+)*{stage}(?:\+\w+)*\)\)")
        found = []
        for process in self.descendants():
            with suppress(psutil.NoSuchProcess):
                # Ray gives its processes titles. A dead one has none.
                title = "".join(process.cmdline()[:1])
                if hosts.search(title) and not title.endswith("__init__"):
                    found.append(process)
        return found

    def wait_for_worker(self, stage: str) -> psutil.Process | None:
        """The first actor of a stage that is ready; None if the job ends before."""
        while self.runs:
            if workers := self.workers(stage):
                return workers[0]
            sleep(POLL_SECONDS)
        return None

    def wait(self, seconds: float) -> None:
        """Wait for the end of the job, but not longer."""
        with suppress(psutil.TimeoutExpired):
            self._driver.wait(seconds)

    def complete(self) -> None:
        """Wait for the end of the job, which has to be a good one."""
        assert self._driver.wait() == 0, self._log.read_text()

    def kill(self) -> list[psutil.Process]:
        """Kill the driver alone, and return what it leaves behind."""
        left = self.descendants()
        self._driver.kill()
        self._driver.wait()
        return left

    def descendants(self) -> list[psutil.Process]:
        """All processes below the driver."""
        with suppress(psutil.NoSuchProcess):
            return list(self._driver.children(recursive=True))
        return []


def end(processes: Sequence[psutil.Process]) -> None:
    """Wait until processes are gone, and kill those that stay."""
    _, staying = psutil.wait_procs(processes, SECONDS_TO_VANISH)
    for process in staying:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(staying, SECONDS_TO_VANISH)


def kill_actors(
    start: Callable[[], RunningJob], victim: Victim, count: int, random: Random
) -> Kills:
    """Kill a job's only actor of a stage, and those that come in its place; then let it finish."""
    seen: set[int] = set()
    kills = 0
    with start() as job:
        while (worker := job.wait_for_worker(STAGES[victim])) is not None:
            if worker.pid not in seen and kills < count:
                job.wait(random.uniform(0, LONGEST_LIFE_SECONDS))
                kills += kill(worker)
            seen.add(worker.pid)
            sleep(POLL_SECONDS)
        job.complete()
    return Kills(kills, max(0, len(seen) - 1))


def kill(process: psutil.Process) -> bool:
    """Kill a process; returns whether it was still there."""
    with suppress(psutil.NoSuchProcess):
        if process.status() != psutil.STATUS_ZOMBIE:
            process.kill()
            return True
    return False


def kill_drivers(
    start: Callable[[], RunningJob], count: int, random: Random, seconds_left: Callable[[], float]
) -> Kills:
    """Kill the driver of a job, start the job again, and so on; let it finish at last.

    What a killed driver leaves behind is waited for in a third of the cases. In another third the
    next run begins at once; in the last, a writer of the killed run was stopped in its tracks and
    goes on in the middle of the next run.

    Args:
        start: the job.
        count: at most so many times.
        random: draws the moments.
        seconds_left: about how long the work will still take.
    """
    runs = kills = 0
    left: list[psutil.Process] = []
    late: list[psutil.Process] = []
    try:
        while True:
            with start() as job:
                runs += 1
                working = job.wait_for_worker("read") is not None
                resume(late)
                if working and kills < count:
                    job.wait(random.uniform(0, seconds_left()))
                if kills == count or not job.runs:
                    job.complete()
                    return Kills(kills, runs - 1)
                ending = random.choice(["alone", "at once", "late"])
                late = job.workers("write") if ending == "late" else []
                for writer in late:
                    writer.suspend()
                left += job.kill()
                kills += 1
                if ending == "alone":
                    end(left)
    finally:
        resume(late)
        end(left)


def resume(processes: Sequence[psutil.Process]) -> None:
    """Let suspended processes go on that are still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def kill_everything_once(start: Callable[[], RunningJob], random: Random) -> Kills:
    """Kill one actor of each stage in one run, then the driver; start again and let it finish."""
    actors = random.sample(list(STAGES), len(STAGES))
    with start() as job:
        for victim in actors:
            worker = job.wait_for_worker(STAGES[victim])
            assert worker is not None
            sleep(random.uniform(0, 1))
            assert kill(worker), victim
        returned = [job.wait_for_worker(STAGES[victim]) for victim in actors]
        assert None not in returned
        left = job.kill()
    with start() as job:
        job.complete()
    end(left)
    return Kills(kills=len(actors) + 1, restarts=len(returned) + 1)
