"""Fixtures: a small cluster, inputs and networks, and the real data beside the project."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
import torch
from PIL import Image

from tests.support.networks import Weights, photowct_weights, spade_weights
from tests.support.s3_service import Service, public_bucket, serve
from tools.gpu_check.golden import rebuild_weights

# Triton's kernels run on the CPU. It reads this where a kernel is defined.
os.environ["TRITON_INTERPRET"] = "1"

# Fixtures of tests that run jobs: on the cluster below, on one of several nodes, in processes.
# Tests that run a job without any of these are marked with "job".
RAY_FIXTURES = {"cluster", "address", "undisturbed", "job_flags"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order and group the tests for several processes.

    Modules that start Ray come first, for they take the longest. They stay in one process, because
    two clusters at once on two cores time out and lose their nodes.
    """
    slow = Counter(_module(item) for item in items if _starts_ray(item))
    for item in items:
        if _module(item) in slow:
            item.add_marker(pytest.mark.xdist_group("ray"))
    items.sort(key=lambda item: -slow[_module(item)])


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _starts_ray(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return not RAY_FIXTURES.isdisjoint(fixtures) or item.get_closest_marker("job") is not None


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(__file__).parents[2] / "shared"
    if not folder.exists():
        pytest.skip("the shared data is not here")
    return folder


@pytest.fixture(scope="session")
def golden_weights(shared: Path) -> Callable[[str], Weights]:
    """The weights behind a golden file, rebuilt as shared/golden/README.md says."""

    def rebuild(name: str) -> Weights:
        with np.load(shared / "golden" / f"{name}.npz") as golden:
            return rebuild_weights(golden)

    return rebuild


@pytest.fixture(scope="session", name="spade_weights")
def spade_weights_fixture() -> Callable[..., Weights]:
    return spade_weights


@pytest.fixture(scope="session", name="photowct_weights")
def photowct_weights_fixture() -> Callable[..., Weights]:
    return photowct_weights


@pytest.fixture(scope="session")
def spade_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("spade") / "latest_net_G.pth"
    torch.save(spade_weights(), path)
    return str(path)


@pytest.fixture(scope="session")
def photowct_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("photowct") / "photo_wct.pth"
    torch.save(photowct_weights(), path)
    return str(path)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch as in the pipeline's workers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=200 << 20,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def make_label_maps() -> Callable[..., str]:
    """Write ``count`` label maps of blocks, with values below ``top``, into a folder."""

    def make(folder: Path, count: int = 3, top: int = 182, size: int = 48) -> str:
        folder.mkdir(parents=True)
        generator = np.random.default_rng(0)
        for i in range(count):
            blocks = generator.integers(0, top, (size // 16, size // 16), dtype=np.uint8)
            Image.fromarray(blocks.repeat(16, 0).repeat(16, 1)).save(folder / f"mask{i:03d}.png")
        return str(folder)

    return make


@pytest.fixture(scope="session")
def make_photos() -> Callable[..., str]:
    """Write ``count`` photos of smooth noise into a folder."""

    def make(folder: Path, count: int = 3, width: int = 40, height: int = 32) -> str:
        folder.mkdir(parents=True)
        generator = np.random.default_rng(1)
        for i in range(count):
            noise = Image.fromarray(generator.integers(0, 255, (5, 6, 3), dtype=np.uint8))
            noise.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"style{i}.jpg")
        return str(folder)

    return make


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """An S3 service on loopback."""
    with serve() as service:
        yield service


@pytest.fixture
def bucket(service: Service) -> Iterator[str]:
    """URI of a bucket of it."""
    with public_bucket(service) as uri:
        yield uri
