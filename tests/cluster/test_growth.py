"""A job on a cluster whose autoscaler adds a node when there is demand."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from spadepis import ImageSet
from spadepis.cli.main import inspect_image_set
from tests.support.cluster_nodes import stages_below
from tests.support.fake_autoscaler import autoscaled_nodes
from tests.support.held_smooth import GO_ON

SCRIPT = Path(__file__).with_name("pretend_gpu_job.py")
SCENES, STYLES = 24, 2
NODE_CPUS, NODES = 4, 2
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 1200.0


@pytest.mark.faults
def test_the_pools_grow_onto_a_node_that_comes(
    tmp_path: Path,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out"
    flags = [
        f"--masks={make_label_maps(tmp_path / 'masks', SCENES)}",
        f"--styles={make_photos(tmp_path / 'styles', 3)}",
        f"--styles-per-mask={STYLES}",
        "--size=64x64",
        # With one worker of each stage at first, the node of the start is full.
        *("--synthesis-workers=2", "--stylization-workers=3", "--smoothing-workers=2"),
        f"--cluster-cpus={NODES * NODE_CPUS}",
        f"--output={output}",
    ]
    # Workers have the environment of their node. Smoothing waits after its first block.
    go_on = tmp_path / "go_on"
    monkeypatch.setenv(GO_ON, str(go_on))
    log = tmp_path / "log"
    grown: set[str] = set()
    with (
        autoscaled_nodes(tmp_path, NODE_CPUS, fewest=1, most=NODES) as cluster,
        log.open("wb") as file,
    ):
        assert len(cluster.nodes()) == 1
        start = monotonic()
        driver = subprocess.Popen(
            [sys.executable, str(SCRIPT), *flags],
            env=os.environ | {"RAY_ADDRESS": cluster.address},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            while driver.poll() is None:
                assert monotonic() < start + PATIENCE_SECONDS, log.read_text()
                sleep(POLL_SECONDS)
                for node in cluster.nodes()[1:]:
                    grown |= stages_below(node)
                if "smooth" in grown and not go_on.exists():
                    print(
                        f"\na second node hosts {sorted(grown)} after {monotonic() - start:.0f} s"
                    )
                    go_on.touch()
        finally:
            driver.kill()
            driver.wait()
    assert driver.returncode == 0, log.read_text()
    assert "smooth" in grown
    assert inspect_image_set(str(output), verify=True) == 0, capsys.readouterr().out
    rows = ImageSet(str(output)).table.to_pylist()
    pairs = {(row["mask_id"], row["style_id"]) for row in rows}
    assert len(rows) == len(pairs) == SCENES * STYLES
