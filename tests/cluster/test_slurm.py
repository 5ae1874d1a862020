"""``cluster/slurm.sh`` on a real Slurm: run, preempted, queued again and finished."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from spadepis import ImageSet
from spadepis.cli.main import inspect_image_set
from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.storage.folder import Folder
from tests.support.slurm import MISSING, NODE_CPUS, Slurm, slurm, wait_until

SCRIPT = Path(__file__).parents[2] / "cluster" / "slurm.sh"
NODES = ("node1", "node2")
# What an allocation of this size overrides in the script.
SIZE = ("--nodes=2", f"--cpus-per-task={NODE_CPUS}", "--gpus-per-node=0", "--mem=4G")
SCENES, STYLES = 48, 2
# For a machine that does other work, too.
PATIENCE_SECONDS = 1200.0

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(bool(MISSING), reason=f"Slurm has no {', '.join(MISSING)} here"),
]


@pytest.fixture
def submission(
    tmp_path: Path, make_label_maps: Callable[..., str], make_photos: Callable[..., str]
) -> Path:
    """The folder that jobs are submitted from, with a small configuration as the preset."""
    settings = {
        "masks": make_label_maps(tmp_path / "masks", SCENES),
        "styles": make_photos(tmp_path / "styles", 3),
        "styles_per_mask": STYLES,
        "size": "64x64",
        "output": "unused",
    }
    preset = tmp_path / "jobs" / "presets" / "coco_stuff_train2017.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text(yaml.safe_dump(settings))
    return tmp_path


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Slurm]:
    root = str(Path(__file__).parents[2])
    variables = {
        "SPADEPIS_ENVIRONMENT": sys.prefix,
        "PYTHONPATH": root,
        # By default whatever else runs on the machine comes before Ray's workers.
        "RAY_worker_niceness": "0",
    }
    with slurm(tmp_path / "slurm", NODES, variables) as controller:
        yield controller


def test_a_preempted_job_is_queued_again_and_finishes(
    controller: Slurm, submission: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Folder(str(submission / "out" / "coco_stuff_train2017"))
    pairs = SCENES * STYLES
    job = controller.submit(submission, "--partition=low", *SIZE, str(SCRIPT))
    log = submission / f"slurm-{job}.out"

    def state(id: int) -> str:
        return controller.job(id)["JobState"]

    def ended() -> bool:
        return state(job) not in ("PENDING", "RUNNING", "COMPLETING")

    wait_until(lambda: read_log(output).num_rows > 0 or ended(), PATIENCE_SECONDS)
    urgent = controller.submit(
        submission, "--partition=high", "--nodes=2", "--exclusive", "--wrap=true"
    )
    wait_until(lambda: state(urgent) == "COMPLETED", PATIENCE_SECONDS)
    assert state(job) == "PENDING" and controller.job(job)["Restarts"] == "1", log.read_text()
    wait_until(lambda: not ray_processes(job), PATIENCE_SECONDS)
    committed = [str(name) for name in read_log(output)["file_name"].to_pylist()]
    assert 0 < len(committed) < pairs
    written = {name: (Path(output.uri) / name).stat().st_mtime_ns for name in committed}

    # Otherwise Slurm waits for two minutes.
    controller.call("scontrol", "update", f"JobId={job}", "StartTime=now")
    wait_until(ended, PATIENCE_SECONDS)
    assert state(job) == "COMPLETED", log.read_text()
    assert controller.job(job)["ExitCode"] == "0:0"
    assert f"{pairs - len(committed)} pairs of" in log.read_text()
    assert inspect_image_set(output.uri, verify=True) == 0, capsys.readouterr().out
    rows = ImageSet(output.uri).table.to_pylist()
    assert len(rows) == len({(row["mask_id"], row["style_id"]) for row in rows}) == pairs
    assert {name: (Path(output.uri) / name).stat().st_mtime_ns for name in committed} == written
    wait_until(lambda: not ray_processes(job), PATIENCE_SECONDS)


def test_a_job_ends_where_ray_does_not_start(
    controller: Slurm, submission: Path, tmp_path: Path
) -> None:
    programs = tmp_path / "broken" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'PATH="{programs}:{sys.prefix}/bin:$PATH"\n')
    (programs / "ray").write_text("#!/bin/sh\necho no ray today >&2\nexit 1\n")
    (programs / "ray").chmod(0o755)
    variables = f"--export=ALL,SPADEPIS_ENVIRONMENT={programs.parent}"
    job = controller.submit(submission, "--partition=low", variables, *SIZE, str(SCRIPT))
    wait_until(lambda: controller.job(job)["JobState"] == "FAILED", PATIENCE_SECONDS)
    log = (submission / f"slurm-{job}.out").read_text()
    assert "no ray today" in log
    assert "error: Ray's head did not start on node1" in log


def ray_processes(job: int) -> list[str]:
    """Processes of the cluster of a job, which all have its port in their command."""
    commands = [
        " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])
    ]
    return [command for command in commands if f":{20000 + job % 10000} " in f"{command} "]
