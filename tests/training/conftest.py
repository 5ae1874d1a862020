from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torchvision.models import squeezenet1_0

from spadepis.training.efficientnet import FrozenFeatures
from spadepis.training.perceptual import PerceptualNetwork


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


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Networks this small lose time on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
