"""Ray's own autoscaler, with a provider whose nodes are processes on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
from ray.util import get_node_ip_address

from tests.support.cluster_nodes import OBJECT_STORE_BYTES
from tests.support.object_stores import free_port

RAY = Path(sys.executable).with_name("ray")
POLL_SECONDS = 0.5
SECONDS_TO_START = 180.0
SECONDS_TO_END = 10.0
HEAD, WORKER = "ray.head.default", "cpu"
VARIABLES = {
    "RAY_FAKE_CLUSTER": "1",
    # That of Ray's launcher.
    "RAY_enable_autoscaler_v2": "0",
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    # It would be needed where the user has a token; jobs on it have none.
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    # By default whatever else runs on the machine comes first.
    "RAY_worker_niceness": "0",
}


@dataclass(frozen=True)
class AutoscaledNodes:
    """A cluster that grows by itself.

    Attributes:
        address: for jobs.
        head: the process that all others are below.
    """

    address: str
    head: psutil.Popen

    def nodes(self) -> Sequence[int]:
        """The processes that manage a node each, in the order of their start; not the head's."""
        found = []
        for process in self.head.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name() == "raylet" and process.ppid() != self.head.pid:
                    found.append(process)
        return [process.pid for process in sorted(found, key=psutil.Process.create_time)]


@contextmanager
def autoscaled_nodes(folder: Path, cpus: int, fewest: int, most: int) -> Iterator[AutoscaledNodes]:
    """A head that does no work, and nodes that the autoscaler starts where there is demand.

    ``ray.cluster_utils.AutoscalingCluster`` would do so too, but ends all other clusters of the
    machine when it starts.

    Args:
        folder: for the configuration and the log.
        cpus: of each node.
        fewest: number of nodes at the start.
        most: number of nodes at most.
    """
    port = free_port()
    address = f"{get_node_ip_address()}:{port}"
    file = folder / "autoscaler.json"
    file.write_text(json.dumps(_configuration(address, cpus, fewest, most)))
    command = [
        *(str(RAY), "start", "--head", "--block", f"--port={port}", "--num-cpus=0"),
        *(f"--object-store-memory={OBJECT_STORE_BYTES}", "--include-dashboard=false"),
        f"--autoscaling-config={file}",
    ]
    with (folder / "head.log").open("wb") as log:
        head = psutil.Popen(
            command, env=os.environ | VARIABLES, stdout=log, stderr=subprocess.STDOUT
        )
    cluster = AutoscaledNodes(address, head)
    try:
        deadline = monotonic() + SECONDS_TO_START
        while len(cluster.nodes()) < fewest:
            assert head.is_running() and monotonic() < deadline, (folder / "head.log").read_text()
            sleep(POLL_SECONDS)
        yield cluster
    finally:
        processes = [head, *head.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, SECONDS_TO_END)


def _configuration(address: str, cpus: int, fewest: int, most: int) -> dict[str, Any]:
    """What Ray's launcher would hand to the autoscaler."""
    resources = {"CPU": cpus, "object_store_memory": OBJECT_STORE_BYTES}
    kinds = {
        HEAD: {"node_config": {}, "resources": {"CPU": 0}, "max_workers": 0},
        WORKER: {
            "node_config": {},
            "resources": resources,
            "min_workers": fewest,
            "max_workers": most,
        },
    }
    # The nodes need neither files nor commands.
    folders: dict[str, Any] = {"auth": {}, "file_mounts": {}, "cluster_synced_files": []}
    steps = ["initialization_commands", "setup_commands"]
    for kind in ("head", "worker"):
        steps += [f"{kind}_setup_commands", f"{kind}_start_ray_commands"]
    return {
        "cluster_name": "fake",
        "provider": {
            "type": "fake_multinode",
            "gcs_address": address,
            # Nothing is to be installed on the nodes, nor are they to be reached by SSH.
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "worker_liveness_check": False,
        },
        "head_node_type": HEAD,
        "available_node_types": kinds,
        "max_workers": most,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 5,
        "file_mounts_sync_continuously": False,
        **folders,
        **{step: [] for step in steps},
    }
