from pathlib import Path
from unittest.mock import patch
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import squeezenet1_0
from torchvision.transforms.v2 import functional as transforms

from spadepis.configuration import ConfigurationError
from spadepis.training.perceptual import (
    PerceptualNetwork,
    perceptual_distance,
    perceptual_network,
)


def test_normalization_is_folded_into_the_first_convolution() -> None:
    torch.manual_seed(0)
    layers = squeezenet1_0().features.eval()
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.1])
    network = PerceptualNetwork(layers.state_dict(), mean, std)
    image = torch.rand(2, 3, 64, 64)
    features = network(image)
    with torch.no_grad():
        expected = layers(transforms.normalize(image, mean.tolist(), std.tolist()))
    assert [feature.shape[1] for feature in features] == [96, 256, 512, 512]
    torch.testing.assert_close(features[-1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4", b"x" * 100])
def test_a_file_that_holds_other_weights_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    if content is None:
        np.savez(path, w=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"weights.npz does not hold SqueezeNet"):
        perceptual_network(path)
    with pytest.raises(ConfigurationError, match=r"none.npz cannot be read: No such file"):
        perceptual_network(tmp_path / "none.npz")


def test_without_a_network_the_setting_is_named_that_does_without() -> None:
    failure = patch.object(PerceptualNetwork, "from_torchvision", side_effect=URLError("no route"))
    with (
        failure,
        pytest.raises(ConfigurationError, match=r"\(no route\): give --perceptual-weights"),
    ):
        perceptual_network(None)


def test_caffe_weights_see_what_is_in_a_photo(shared: Path) -> None:
    """With the right channel order and mean features are sparser than with a wrong one."""
    network = PerceptualNetwork.from_caffe(shared / "weights" / "squeezenet_v10_deepcompressed.npz")
    path = sorted((shared / "data" / "photos").glob("*.jpg"))[0]
    with Image.open(path) as image:
        photo = transforms.to_dtype(transforms.pil_to_tensor(image), torch.float32, scale=True)
    active = (network(photo[None])[-1] > 0).float().mean()
    assert 0.02 < active < 0.5


def test_distance_counts_levels_alike_whatever_their_scale() -> None:
    targets = [torch.full((1, 2, 4, 4), 1.0), torch.full((1, 2, 4, 4), 1000.0)]
    features = [torch.full((1, 2, 4, 4), 1.5), torch.full((1, 2, 4, 4), 1500.0)]
    assert float(perceptual_distance(features, targets)) == pytest.approx(0.5)
    assert float(perceptual_distance(targets, targets)) == 0
