"""Servers of Azure Blob and Google Cloud Storage on loopback."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pytest

from spadepis.dataset.storage.filesystems import filesystem, storage_environment

SECONDS_TO_START = 60
# The account that Azurite has, as its documentation gives it.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@contextmanager
def azure(folder: Path, environment: pytest.MonkeyPatch) -> Iterator[str]:
    """URI of a new container of Azurite, which this process and its children can use.

    Args:
        folder: for what the server logs.
        environment: of this process.
    """
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite-blob is not here: npm install --global azurite")
    port = free_port()
    command = [program, f"--blobPort={port}", "--inMemoryPersistence", "--skipApiVersionCheck"]
    with _running([*command, "--disableTelemetry"], port, folder / "azurite.log"):
        account = f"AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY}"
        endpoint = f"BlobEndpoint=http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
        connection = f"DefaultEndpointsProtocol=http;{account};{endpoint};"
        environment.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        yield _new_bucket("abfs://container")


@contextmanager
def google(folder: Path, environment: pytest.MonkeyPatch) -> Iterator[str]:
    """URI of a new bucket of an emulator of Google's service; see ``azure``."""
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    if not program.exists():
        pytest.skip("gcp-storage-emulator is not here: pip install gcp-storage-emulator")
    port = free_port()
    command = [str(program), "start", "--host=127.0.0.1", f"--port={port}", "--in-memory"]
    variables = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        "FSSPEC_GS_TOKEN": "anon",
        # It would ask the emulator, in vain, what kind of bucket this is.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }
    for name, value in variables.items():
        environment.setenv(name, value)
    with (
        _running(command, port, folder / "google.log"),
        storage_environment({"FSSPEC_GS_TOKEN": "anon"}),
    ):
        yield _new_bucket("gs://bucket")


def _new_bucket(prefix: str) -> str:
    uri = f"{prefix}-{uuid4().hex[:8]}"
    fs, path = filesystem(uri)
    # A filesystem that is kept from an earlier service would go on asking that.
    type(fs).clear_instance_cache()
    fs, path = filesystem(uri)
    fs.mkdir(path)
    return str(fs.unstrip_protocol(path))


def free_port() -> int:
    """The number of a TCP port that nobody uses."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    """A server that answers on a port."""
    with log.open("wb") as file:
        server = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=log.parent)
    try:
        end = monotonic() + SECONDS_TO_START
        while not _answers(port):
            assert monotonic() < end and server.poll() is None, log.read_text()
            sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
