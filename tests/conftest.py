"""Fixtures: a small cluster, inputs and networks, and the real data beside the project."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from spadepis.labels import COCO_STUFF, LabelSpace
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import ENCODER_BLOCKS, LEVELS
from spadepis.spade import SpadeGenerator
from tests.faults.s3_service import Service, public_bucket, serve

Weights = dict[str, Tensor]


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
        golden = np.load(shared / "golden" / f"{name}.npz")
        meta = json.loads(str(golden["meta"]))
        weights = random_weights(meta["shapes"], meta["seed"])
        for key in golden.files:
            if key.startswith("buffer/"):
                weights[key.removeprefix("buffer/")] = torch.from_numpy(golden[key])
        return weights

    return rebuild


def random_weights(shapes: Mapping[str, Any], seed: int) -> Weights:
    """Weights and biases of the given shapes that keep the scale of features."""
    generator = np.random.default_rng(seed)
    weights: Weights = {}
    for key in sorted(shapes):
        if key.rpartition(".")[2] not in ("weight", "weight_orig", "bias"):
            continue
        shape = tuple(shapes[key])
        values = generator.standard_normal(shape, dtype=np.float32)
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) >= 2 else 0.1
        weights[key] = torch.from_numpy(values * np.float32(scale))
    return weights


@pytest.fixture(scope="session")
def spade_weights() -> Callable[..., Weights]:
    """Small SPADE weights as the published files hold them, with spectral norm not yet folded."""

    def make(label_space: LabelSpace = COCO_STUFF, base_width: int = 2, seed: int = 0) -> Weights:
        state = SpadeGenerator(label_space, base_width).state_dict()
        weights: Weights = {}
        random = random_weights({key: value.shape for key, value in state.items()}, seed)
        torch.manual_seed(seed)
        for key, value in state.items():
            layer, _, kind = key.rpartition(".")
            if kind == "running_mean":
                weights[key] = torch.randn_like(value) * 0.1
            elif kind == "running_var":
                weights[key] = torch.rand_like(value) + 0.5
            elif kind == "num_batches_tracked":
                weights[key] = torch.tensor(7)
            elif kind == "weight" and layer.rpartition(".")[2] in ("conv_0", "conv_1", "conv_s"):
                matrix = random[key].flatten(1)
                v = torch.randn(matrix.shape[1])
                for _ in range(50):
                    u = F.normalize(matrix @ v, dim=0)
                    v = F.normalize(matrix.T @ u, dim=0)
                weights |= {f"{key}_orig": random[key], f"{key}_u": u, f"{key}_v": v}
            else:
                weights[key] = random[key]
        return weights

    return make


@pytest.fixture(scope="session")
def photowct_weights() -> Callable[..., Weights]:
    """Small PhotoWCT weights under the published keys."""

    def make(width: int = 4, seed: int = 0) -> Weights:
        widths = {
            level: {name: width * int(name[4]) for block in ENCODER_BLOCKS[level] for name in block}
            for level in LEVELS
        }
        state = PhotoWCT(widths).state_dict()
        return random_weights({key: value.shape for key, value in state.items()}, seed)

    return make


@pytest.fixture(scope="session")
def spade_checkpoint(
    spade_weights: Callable[..., Weights], tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = tmp_path_factory.mktemp("spade") / "latest_net_G.pth"
    torch.save(spade_weights(), path)
    return str(path)


@pytest.fixture(scope="session")
def photowct_checkpoint(
    photowct_weights: Callable[..., Weights], tmp_path_factory: pytest.TempPathFactory
) -> str:
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
