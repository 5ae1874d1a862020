"""Ends of a job: signals, another job on its folder, a lost control service, a full disk."""

import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import Signals

import psutil
import pytest

from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.image_set.commits import done
from spadepis.dataset.image_set.verification import verify
from spadepis.dataset.storage.folder import STAGING, Folder
from tests.support.running_job import JOBS, RunningJob, end

MASKS = 40
SCRIPT = JOBS / "synthesize_and_stylize.py"
# In which a process that ends has ended.
SECONDS_TO_END = 20
# Holds the books of a set and some of its images, but not all.
SMALL_DISK = "300k"
# Run where nobody else sees what is mounted: a job on a disk that is too small, and again after it
# has grown.
ON_A_SMALL_DISK = """
mount -t tmpfs -o size={size} none {folder} || exit 77
{job}
echo "status $?"
find {folder}/out/{staging} -type f 2>/dev/null | sed 's/^/staged /'
mount -o remount,size=1g {folder}
{job}
echo "status $?"
cp -r {folder}/out {copy}
"""


@pytest.fixture(scope="module")
def job_flags(
    tmp_path_factory: pytest.TempPathFactory,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
) -> Sequence[str]:
    """Of a job with one result for each label map, but for the output."""
    folder = tmp_path_factory.mktemp("inputs")
    return [
        f"--masks={make_label_maps(folder / 'masks', MASKS)}",
        f"--instances={make_label_maps(folder / 'instances', MASKS)}",
        f"--styles={make_photos(folder / 'styles', 2)}",
        "--size=64x64",
        "--image-format=png",
        f"--spade-checkpoint={spade_checkpoint}",
        f"--photowct-checkpoint={photowct_checkpoint}",
    ]


def run_beside(flags: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run the same job in another process, to its end."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *flags], capture_output=True, text=True, check=False
    )


def assert_nothing_is_left(output: Path, processes: Sequence[psutil.Process]) -> None:
    _, left = psutil.wait_procs(processes, SECONDS_TO_END)
    try:
        assert left == []
    finally:
        end(left)
    assert not (output / STAGING).exists()
    assert not list(output.glob("_commits/lease-*"))


def assert_complete(output: Path) -> None:
    log = read_log(Folder(str(output)))
    assert len(done(log)) == MASKS
    assert [problem for problems in verify(Folder(str(output)), log) for problem in problems] == []


def resume(flags: Sequence[str], log: Path, output: Path) -> None:
    with RunningJob(flags, log) as job:
        job.complete()
    assert_complete(output)


def stop(job: RunningJob, number: Signals) -> tuple[int, list[psutil.Process]]:
    """Send a signal to the driver, and return its status and what was below it."""
    below = job.descendants()
    job.send(number)
    return job.wait_for_status(), below


def test_a_second_job_is_refused_and_sigterm_ends_the_first_cleanly(
    job_flags: Sequence[str], make_label_maps: Callable[..., str], tmp_path: Path
) -> None:
    output, log = tmp_path / "out", tmp_path / "log"
    # The first is not done before the second has waited for its heartbeat.
    masks = make_label_maps(tmp_path / "masks", 600)
    flags = [*job_flags, f"--masks={masks}", f"--instances={masks}", f"--output={output}"]
    with RunningJob(flags, log) as job:
        assert job.wait_for_worker("read") is not None
        second = run_beside([*flags, "--limit=3"])
        assert second.returncode == 2, second.stderr
        assert f"is being written by the job of process {job.process} on" in second.stderr
        status, below = stop(job, signal.SIGTERM)
    assert status == 143, log.read_text()
    assert log.read_text().endswith("stopped; the same command resumes from here\n")
    assert "Traceback" not in log.read_text()
    assert_nothing_is_left(output, below)


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("stage", [None, "read", "write"])
def test_a_signal_ends_a_job_cleanly_and_it_resumes(
    job_flags: Sequence[str], tmp_path: Path, number: Signals, stage: str | None
) -> None:
    output, log = tmp_path / "out", tmp_path / "log"
    flags = [*job_flags, f"--output={output}"]
    with RunningJob(flags, log) as job:
        if stage is None:
            # Ray is about to start, or starts.
            while not list(output.glob("_commits/lease-*")):
                assert job.runs
            time.sleep(3)
        else:
            assert job.wait_for_worker(stage) is not None
        status, below = stop(job, number)
    assert status == 128 + number, log.read_text()
    assert_nothing_is_left(output, below)
    resume(flags, log, output)


@pytest.mark.faults
def test_a_lost_control_service_is_told_and_ends_the_job(
    job_flags: Sequence[str], tmp_path: Path
) -> None:
    output, log = tmp_path / "out", tmp_path / "log"
    flags = [*job_flags, f"--output={output}"]
    with RunningJob(flags, log) as job:
        assert job.wait_for_worker("read") is not None
        below = job.descendants()
        (service,) = [process for process in below if process.name() == "gcs_server"]
        service.kill()
        start = time.monotonic()
        assert job.wait_for_status() == 1
        assert time.monotonic() - start < 20
    assert "control service (gcs_server)" in log.read_text().splitlines()[-1]
    _, left = psutil.wait_procs(below, SECONDS_TO_END)
    assert left == []
    resume(flags, log, output)


@pytest.mark.faults
def test_a_full_disk_is_one_line_and_the_job_resumes(
    job_flags: Sequence[str], tmp_path: Path
) -> None:
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    job = shlex.join([sys.executable, str(SCRIPT), *job_flags, f"--output={disk / 'out'}"])
    script = ON_A_SMALL_DISK.format(
        size=SMALL_DISK, folder=disk, job=job, staging=STAGING, copy=copy
    )
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script]
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if ended.returncode == 77 or "status" not in ended.stdout:
        pytest.skip("nothing can be mounted here")
    full, _, rest = ended.stdout.partition("status 1\n")
    assert full.splitlines()[-1].endswith(
        "No space left on device; the same command resumes from here"
    ), ended.stdout
    assert "Traceback" not in full
    assert "staged" not in rest
    assert rest.endswith("status 0\n"), rest
    assert_complete(copy)
