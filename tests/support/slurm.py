"""A Slurm controller with its nodes on this machine, as one user's own."""

import getpass
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from tests.support.object_stores import free_port

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scontrol", "sinfo", "srun")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
NODE_CPUS = 2
NODE_MEGABYTES = 8000
POLL_SECONDS = 0.5
SECONDS_TO_START = 60.0
# Slurm kills what is left after KillWait, which is 30 seconds.
SECONDS_TO_END = 60.0

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SwitchType=switch/none
MpiDefault=none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
ReturnToService=2
PartitionName=low Nodes=ALL Default=YES PriorityTier=1
PartitionName=high Nodes=ALL PriorityTier=2
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
    f"CPUs={NODE_CPUS} RealMemory={NODE_MEGABYTES}\n"
)


@dataclass(frozen=True)
class Slurm:
    """Commands to a controller.

    Attributes:
        environment: of the commands, and of the jobs.
    """

    environment: Mapping[str, str]

    def submit(self, folder: Path, *arguments: str) -> int:
        """Submit what the arguments of ``sbatch`` say from a folder; returns the id of the job."""
        shown = self.call("sbatch", "--parsable", *arguments, folder=folder)
        return int(shown.split(";")[0])

    def job(self, id: int) -> Mapping[str, str]:
        """What Slurm knows of a job, such as its ``JobState``."""
        return dict(re.findall(r"(\w+)=(\S*)", self.call("scontrol", "show", "job", str(id))))

    def call(self, *command: str, folder: Path | None = None) -> str:
        """What a command prints."""
        return subprocess.run(
            command, env=self.environment, cwd=folder, check=True, capture_output=True, text=True
        ).stdout


@contextmanager
def slurm(folder: Path, nodes: Sequence[str], environment: Mapping[str, str]) -> Iterator[Slurm]:
    """Slurm with nodes of ``NODE_CPUS`` CPUs each, whatever the machine has.

    Jobs in the partition ``high`` preempt those in ``low``, which are queued again.

    Args:
        folder: for all files of Slurm.
        nodes: names of the nodes.
        environment: of the jobs, beside that of this process.
    """
    (folder / "state").mkdir(parents=True)
    file = folder / "slurm.conf"
    names = {"host": socket.gethostname(), "user": getpass.getuser(), "folder": str(folder)}
    text = CONFIGURATION.format(port=free_port(), **names)
    text += "".join(NODE.format(name=node, port=free_port(), **names) for node in nodes)
    file.write_text(text)
    commands = Slurm({**os.environ, **environment, "SLURM_CONF": str(file)})
    daemons = [["slurmctld", "-D", "-c"], *(["slurmd", "-D", "-N", node] for node in nodes)]
    running = []
    with (folder / "log").open("wb") as log:
        try:
            for command in daemons:
                running.append(
                    subprocess.Popen(command, env=commands.environment, stdout=log, stderr=log)
                )
            idle = ["sinfo", "--noheader", "--Node", "--partition=low", "--states=idle"]
            wait_until(
                lambda: len(commands.call(*idle).splitlines()) == len(nodes), SECONDS_TO_START
            )
            yield commands
        finally:
            subprocess.run(["scancel", "--full", "--user", names["user"]], env=commands.environment)
            for daemon in reversed(running):
                daemon.terminate()
                daemon.wait(SECONDS_TO_END)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until a condition holds; it is an error if it takes too long."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline
        sleep(POLL_SECONDS)
