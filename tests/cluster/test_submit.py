"""A job submitted to a running cluster: its log, its exit status, stopping it and going on."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep

import pytest
import yaml
from ray.job_submission import JobStatus, JobSubmissionClient

from spadepis import ImageSet
from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.storage.folder import Folder
from tests.support.cluster_nodes import head_alone
from tests.support.object_stores import free_port

JOBS = Path(__file__).parents[2] / "jobs"
RAY = Path(sys.executable).with_name("ray")
SCENES, STYLES = 32, 2
POLL_SECONDS = 0.1
# Another cluster may be busy on the same cores.
PATIENCE_SECONDS = 400.0


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster that takes jobs."""
    port, agent_port = free_port(), free_port()
    dashboard = {
        "include_dashboard": True,
        "dashboard_host": "127.0.0.1",
        "dashboard_port": port,
        # The usual one may be that of another cluster on this machine.
        "dashboard_agent_listen_port": agent_port,
    }
    address = f"http://127.0.0.1:{port}"
    with head_alone(num_cpus=2, **dashboard):
        wait_until(lambda: takes_jobs(address))
        yield address


def takes_jobs(address: str) -> bool:
    """Whether the part of the cluster is up that starts jobs; it comes after the rest."""
    try:
        JobSubmissionClient(address).submit_job(entrypoint="true")
    except RuntimeError as error:
        assert "No available agent" in str(error)
        return False
    return True


@pytest.fixture
def configuration(
    tmp_path: Path, make_label_maps: Callable[..., str], make_photos: Callable[..., str]
) -> str:
    """URI of a file of settings; the output is beside it."""
    settings = {
        "masks": make_label_maps(tmp_path / "masks", SCENES),
        "styles": make_photos(tmp_path / "styles", 3),
        "styles_per_mask": STYLES,
        "size": "128x128",
        "output": str(tmp_path / "out"),
    }
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path.as_uri()


def submit(address: str, id: str, flags: Sequence[str], *options: str) -> tuple[int, str]:
    """The exit status of ``ray job submit`` and what it shows."""
    script = [sys.executable, "synthesize_and_stylize.py", *flags]
    command = [str(RAY), "job", "submit", f"--working-dir={JOBS}", f"--submission-id={id}"]
    done = subprocess.run(
        [*command, *options, "--", *script],
        env=os.environ | {"RAY_ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return done.returncode, done.stdout + done.stderr


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while not condition():
        assert monotonic() < deadline
        sleep(POLL_SECONDS)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--styles-per-mask=9", "error: --styles-per-mask 9: .* holds 3"),
        # Found in the trial of the stages, which is another process.
        (f"--photowct-checkpoint={__file__}", "error: checkpoint .* is not a file of weights"),
    ],
    ids=["settings", "checkpoint"],
)
def test_a_bad_configuration_fails_with_its_own_status(
    flag: str, message: str, address: str, configuration: str
) -> None:
    id = flag.split("=")[0].strip("-")
    status, shown = submit(address, id, [f"--config={configuration}", flag])
    assert status == 1
    assert re.search(message, shown) and "Traceback" not in shown
    job = JobSubmissionClient(address).get_job_info(id)
    assert (job.status, job.driver_exit_code) == (JobStatus.FAILED, 2)


def test_a_job_is_stopped_and_goes_on_when_it_is_submitted_again(
    address: str, configuration: str, tmp_path: Path
) -> None:
    client = JobSubmissionClient(address)
    output = Folder(str(tmp_path / "out"))
    flags = [f"--config={configuration}"]
    assert submit(address, "first", flags, "--no-wait")[0] == 0
    wait_until(
        lambda: read_log(output).num_rows > 0 or client.get_job_status("first").is_terminal()
    )
    client.stop_job("first")
    wait_until(lambda: client.get_job_status("first").is_terminal())
    assert client.get_job_status("first") == JobStatus.STOPPED, client.get_job_logs("first")
    assert f"{SCENES * STYLES} pairs of {SCENES} scenes to do" in client.get_job_logs("first")

    committed = {str(name) for name in read_log(output)["file_name"].to_pylist()}
    assert 0 < len(committed) < SCENES * STYLES
    before = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in committed}
    status, shown = submit(address, "second", flags)
    assert status == 0, shown
    # A few more may have been committed between the reading and the end.
    assert f"{SCENES * STYLES}/{SCENES * STYLES}" in shown
    assert f"{SCENES * STYLES} images of {SCENES} scenes" in shown
    assert client.get_job_status("second") == JobStatus.SUCCEEDED
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in committed} == before
    rows = ImageSet(output.uri).table.to_pylist()
    assert len(rows) == len({(row["mask_id"], row["style_id"]) for row in rows}) == SCENES * STYLES
