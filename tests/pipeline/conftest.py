"""A small cluster for the few tests that need one, and small inputs."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
from PIL import Image


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
