"""Of two jobs on one folder the first makes its set as if alone, and the second is refused."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.image_set.commits import done
from spadepis.dataset.image_set.orphans import orphans
from spadepis.dataset.image_set.verification import verify
from spadepis.dataset.storage.filesystems import s3_environment
from spadepis.dataset.storage.folder import Folder
from tests.support.plain_job import STYLES
from tests.support.s3_service import public_bucket, serve

SMALL, LARGE = 4, 30
TRIALS = 20
LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Storage:
    """Where image sets are written, and the environment of processes that reach it."""

    uri: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class End:
    """Of a job: how many scenes it was to make, its process, its status, what it said."""

    scenes: int
    process: int
    status: int
    text: str


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "local":
        yield Storage(str(tmp_path), {})
        return
    with serve() as service, public_bucket(service) as uri:
        yield Storage(uri, s3_environment(service.endpoint, anonymous=True))


def start(output: str, scenes: int, storage: Storage) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.plain_job", output, str(scenes)],
        env={**os.environ, **storage.environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def run_two(output: str, storage: Storage, random: Random) -> list[End]:
    """Run a small and a large job, one a little later than the other, to their ends."""
    sizes = random.sample([SMALL, LARGE], 2)
    pause = random.choice([0.0, random.uniform(0, LONGEST_PAUSE_SECONDS)])
    jobs = []
    for scenes in sizes:
        jobs.append(start(output, scenes, storage))
        time.sleep(pause)
    texts = [job.communicate()[1] for job in jobs]
    return [
        End(scenes, job.pid, job.returncode, text)
        for scenes, job, text in zip(sizes, jobs, texts, strict=True)
    ]


def assert_whole(output: str, scenes: int) -> None:
    folder = Folder(output)
    log = read_log(folder)
    assert len(done(log)) == len(log) == scenes * len(STYLES)
    assert [problem for problems in verify(folder, log) for problem in problems] == []
    assert orphans(folder, log) == []
    assert not any("lease" in name or "clock" in name for name in folder.names("_commits"))


def try_two_jobs(trials: int, storage: Storage, seed: int) -> None:
    random = Random(seed)
    for trial in range(trials):
        output = f"{storage.uri}/{trial}"
        first, second = sorted(run_two(output, storage, random), key=lambda end: end.status)
        assert (first.status, second.status) == (0, 2), (first, second)
        refusal = rf"error: .*{trial} is being written by the job of process {first.process} on "
        assert re.search(refusal, second.text), second.text
        assert_whole(output, first.scenes)


def test_the_second_is_refused_and_the_first_is_whole(storage: Storage) -> None:
    try_two_jobs(1, storage, seed=1)


@pytest.mark.faults
def test_twenty_trials_of_two_jobs(storage: Storage) -> None:
    try_two_jobs(TRIALS, storage, seed=2)
    print(f"\n{TRIALS} trials of two jobs in {storage.uri}: second refused, first whole")


def test_a_killed_job_is_resumed_at_once(storage: Storage) -> None:
    output = f"{storage.uri}/out"
    first = start(output, LARGE, storage)
    while not len(read_log(Folder(output))):
        assert first.poll() is None
    first.kill()
    first.communicate()
    second = start(output, LARGE, storage)
    _, text = second.communicate()
    assert second.returncode == 0, text
    assert "waiting" not in text
    assert_whole(output, LARGE)
