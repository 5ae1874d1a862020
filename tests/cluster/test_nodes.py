"""A job on a cluster of several nodes, one of which is lost in the middle."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep

import pytest

from spadepis.cli.main import run_job
from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.stages.declarations import STYLIZE, SYNTHESIZE
from tests.support.cluster_nodes import add_node, head_alone, stages_on
from tests.support.damage import Damage, find_damage, read_files
from tests.support.held_smooth import GO_ON

SCRIPT = Path(__file__).with_name("pretend_gpu_job.py")
STYLES = 2
SHORT, LONG = (12, "64x64"), (120, "128x128")
# Workers that compute on a CPU are then as large as a node: what ran on the lost one has no room on
# the one that is left, and waits for the one that comes.
CLUSTER_CPUS = 4
POLL_SECONDS = 0.1
# With each job.
PATIENCE_SECONDS = 500.0


@pytest.fixture
def flags(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
) -> Sequence[str]:
    """Of a job on a number of scenes of some size, with the models that come with the project."""
    scenes, size = request.param
    return [
        f"--masks={make_label_maps(tmp_path / 'masks', scenes)}",
        f"--size={size}",
        f"--styles={make_photos(tmp_path / 'styles', 4)}",
        f"--styles-per-mask={STYLES}",
        "--image-format=png",
        "--smoothing-device=cpu",
        "--smoothing-workers=1",
    ]


@pytest.mark.parametrize(
    "flags", [SHORT, pytest.param(LONG, marks=pytest.mark.long)], indirect=True, ids=str
)
def test_a_node_is_lost_and_another_comes(
    cluster: None, flags: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, output = (Folder(str(tmp_path / name)) for name in ("undisturbed", "out"))
    assert run_job(Job.SYNTHESIZE_AND_STYLIZE, [*flags, f"--output={undisturbed.uri}"]) == 0
    pairs = read_log(undisturbed).num_rows
    go_on = tmp_path / "go_on"
    # Workers have the environment of their node.
    monkeypatch.setenv(GO_ON, str(go_on))
    with head_alone() as nodes:
        with_gpu = add_node(nodes, cpus=0, gpus=1)
        lost, kept = add_node(nodes, cpus=1), add_node(nodes, cpus=1)
        nodes.wait_for_nodes()
        log = tmp_path / "log"
        with log.open("wb") as file:
            arguments = [*flags, f"--cluster-cpus={CLUSTER_CPUS}", f"--output={output.uri}"]
            driver = subprocess.Popen(
                [sys.executable, str(SCRIPT), *arguments],
                env=os.environ | {"RAY_ADDRESS": nodes.address},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        seen: dict[str, set[str]] = {name: set() for name in ("gpu", "lost", "kept", "new")}

        def runs() -> bool:
            assert monotonic() < deadline, log.read_text()
            sleep(POLL_SECONDS)
            seen["gpu"] |= stages_on(with_gpu)
            seen["kept"] |= stages_on(kept)
            return driver.poll() is None

        deadline = monotonic() + PATIENCE_SECONDS
        try:
            while runs() and not read_log(output).num_rows:
                seen["lost"] |= stages_on(lost)
            assert 0 < read_log(output).num_rows < pairs
            nodes.remove_node(lost, allow_graceful=False)
            new = add_node(nodes, cpus=1)
            while runs():
                seen["new"] |= stages_on(new)
                if seen["new"]:
                    go_on.touch()
        finally:
            driver.kill()
            driver.wait()
    assert driver.returncode == 0, log.read_text()
    assert find_damage(output, read_files(undisturbed)) == Damage()
    assert read_log(output).num_rows == pairs
    networks = {SYNTHESIZE.name, STYLIZE.name}
    assert networks <= seen["gpu"]
    assert not networks & (seen["lost"] | seen["kept"] | seen["new"])
    assert seen["lost"] & seen["new"], "nothing went from the lost node to the one that came"
