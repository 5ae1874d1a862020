from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import squeezenet1_0

from spadepis.training.efficientnet import FrozenFeatures
from spadepis.training.perceptual import PerceptualNetwork
from tests.training.pairs import write_pair


@pytest.fixture(scope="session")
def perceptual() -> PerceptualNetwork:
    """With random weights: enough to have gradients."""
    torch.manual_seed(0)
    weights = squeezenet1_0().features.state_dict()
    return PerceptualNetwork(weights, torch.zeros(3), torch.ones(3))


@pytest.fixture
def features() -> FrozenFeatures:
    """Five narrow random levels in place of EfficientNet's."""
    torch.manual_seed(0)
    widths = [6, 6, 8, 8, 8]
    blocks = [
        nn.Sequential(nn.Conv2d(before, after, 3, stride, padding=1), nn.ReLU6())
        for before, after, stride in zip([6, *widths], widths, [1, 2, 2, 2, 2], strict=False)
    ]
    return FrozenFeatures(nn.Conv2d(3, 6, 3, 2, padding=1), blocks, range(5), widths)


@pytest.fixture
def source(tmp_path: Path) -> tuple[Path, Path]:
    """Twenty pairs in which the red of the photo tells the label: 0 and 100, or 1 and 200."""
    photos, labels = tmp_path / "images", tmp_path / "labels"
    photos.mkdir()
    labels.mkdir()
    for number in range(20):
        label_map = np.zeros((40, 60), np.uint8)
        label_map[:, number:] = 1
        write_pair(photos, labels, f"{number:02}", label_map)
    return photos, labels


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Networks this small lose time on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
