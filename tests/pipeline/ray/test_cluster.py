"""What a cluster has, what it may grow to, and how the pools of a job follow it."""

import os
import subprocess
import sys

import pytest

from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.ray.cluster import LOCAL_OBJECT_STORE_BYTES, full_size
from spadepis.pipeline.ray.streaming import MOST_SCENES_IN_BLOCK, scenes_in_block
from spadepis.pipeline.resources.allocation import ClusterSize, allocate
from spadepis.pipeline.stages.declarations import ASSESS, READ, SMOOTH, STYLIZE, SYNTHESIZE, WRITE

SECONDS = {SYNTHESIZE: 1.0, STYLIZE: 2.7, SMOOTH: 0.5, ASSESS: 0.2}


# In a process of its own, since another test may be connected to a cluster.
CONNECT = """
from spadepis.cli.exit_status import exit_status
from spadepis.pipeline.ray.cluster import connection

def connect() -> int:
    with connection():
        return 0

raise SystemExit(exit_status(connect))
"""


@pytest.mark.parametrize("address", ["http://127.0.0.1:8265", "nonsense"])
def test_an_address_that_is_none_is_one_line(address: str) -> None:
    environment = {**os.environ, "RAY_ADDRESS": address}
    command = [sys.executable, "-c", CONNECT]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"error: RAY_ADDRESS={address}: " in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_cluster_may_grow_to_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    present = ClusterSize(cpus=4, gpus=0)
    assert full_size(MachineSettings(), present) == present
    growing = MachineSettings(cluster_cpus=64, cluster_gpus=4)
    assert full_size(growing, present) == ClusterSize(64, 4)
    assert full_size(MachineSettings(cluster_gpus=1), present) == ClusterSize(4, 1)
    with pytest.raises(ConfigurationError, match="--cluster-cpus says how many"):
        full_size(MachineSettings(), ClusterSize(0, 0))


def test_this_machine_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    here = ClusterSize(cpus=4, gpus=0)
    assert full_size(MachineSettings(), here) == here
    with pytest.raises(ConfigurationError, match="RAY_ADDRESS, which is not set"):
        full_size(MachineSettings(cluster_cpus=64), here)


def test_pools_begin_with_their_share_of_what_is_there() -> None:
    config, full = MachineSettings(), ClusterSize(64, 4)
    there = allocate(config, full, 1000, SECONDS, ClusterSize(32, 1))
    assert (there[STYLIZE].count, there[STYLIZE].at_first) == (4, 1)
    assert there[SMOOTH].at_first == there[SMOOTH].count // 2 > 1
    from_zero = allocate(config, full, 1000, SECONDS, ClusterSize(0, 0))
    pools = [from_zero[stage] for stage in (READ, SYNTHESIZE, STYLIZE, SMOOTH)]
    assert [pool.at_first for pool in pools] == [1] * 4
    at_once = allocate(config, full, 1000, SECONDS)
    assert all(pool.at_first == pool.count for pool in at_once.values())


@pytest.mark.parametrize(("nodes", "cpus", "gpus"), [(1, 8, 0), (4, 2, 0), (3, 8, 0), (4, 16, 1)])
def test_the_workers_fit_on_nodes_wherever_the_small_ones_go(
    nodes: int, cpus: int, gpus: int
) -> None:
    full = ClusterSize(nodes * cpus, nodes * gpus)
    allocation = allocate(MachineSettings(smoothing_device="cpu"), full, 1000, SECONDS)
    stages = [allocation[stage] for stage in SECONDS]
    # The worst order: those of reading and writing first, all on one node.
    free = [float(cpus)] * nodes
    free[0] -= allocation[READ].count * allocation[READ].cpus
    for stage in stages:
        for _ in range(stage.count):
            node = free.index(max(free))
            assert free[node] >= stage.cpus - 1e-9
            free[node] -= stage.cpus
    assert max(free) >= allocation[WRITE].cpus
    on_gpu = [stage for stage in stages if stage.gpus]
    assert len(on_gpu) == (2 if gpus else 0)
    assert all(stage.cpus == 0 for stage in on_gpu)
    # They share one worker on each GPU.
    assert all(stage.gpus == 1 and stage.count == nodes * gpus for stage in on_gpu)


def test_blocks_are_small_enough_for_all_workers_to_have_some() -> None:
    assert scenes_in_block(scenes=100_000, workers=64) == MOST_SCENES_IN_BLOCK
    assert scenes_in_block(scenes=512, workers=64) == 2
    assert scenes_in_block(scenes=3, workers=64) == 1


def test_blocks_of_large_scenes_fit_into_the_object_store() -> None:
    large = 17 * 2048 * 2048
    assert scenes_in_block(100_000, 1, scene_bytes=large) * large <= LOCAL_OBJECT_STORE_BYTES / 8
    assert scenes_in_block(100_000, 1, scene_bytes=LOCAL_OBJECT_STORE_BYTES) == 1
