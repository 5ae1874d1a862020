from collections.abc import Iterator

import pytest
import torch
from torchvision.models import squeezenet1_0

from spadepis.training.perceptual import PerceptualNetwork


@pytest.fixture(scope="session")
def perceptual() -> PerceptualNetwork:
    """With random weights: enough to have gradients."""
    torch.manual_seed(0)
    weights = squeezenet1_0().features.state_dict()
    return PerceptualNetwork(weights, torch.zeros(3), torch.ones(3))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Networks this small lose time on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
