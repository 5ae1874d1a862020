"""Which of equal values max-pooling takes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT
from spadepis.photowct import PhotoWCT
from spadepis.photowct.network import max_pool


def features(dtype: torch.dtype, height: int, width: int) -> Tensor:
    values = np.random.default_rng(0).normal(size=(2, 3, height, width))
    return torch.from_numpy(values).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize(("height", "width"), [(8, 12), (9, 7), (2, 3)])
def test_without_ties_it_is_the_usual_pooling(dtype: torch.dtype, height: int, width: int) -> None:
    x = features(dtype, height, width)
    for layout in (torch.contiguous_format, torch.channels_last):
        values, indices = max_pool(x.contiguous(memory_format=layout))
        expected = F.max_pool2d(x, 2, return_indices=True)
        assert torch.equal(values, expected[0]) and torch.equal(indices, expected[1])


def test_the_first_of_values_that_differ_by_rounding_alone() -> None:
    x = torch.tensor([[1.0, 1 + 1e-14], [1 - 1e-14, 1 + 2e-14]], dtype=torch.float64)
    values, indices = max_pool(x.expand(1, 1, 2, 2))
    assert indices.item() == 0 and values.item() == 1
    x = torch.tensor([[-1.0, -1 - 1e-14], [-1 + 1e-7, -1.5]], dtype=torch.float64)
    assert max_pool(x.expand(1, 1, 2, 2))[1].item() == 2
    assert max_pool(torch.zeros(1, 1, 2, 2).double())[1].item() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_with_a_tolerance_small_differences_do_not_decide_positions(dtype: torch.dtype) -> None:
    x = torch.tensor([[5.0, 5.5, 5, 8], [5.25, 5.75, 5, 5], [5, 5, 5, 5]], dtype=dtype)
    values, indices = max_pool(x.expand(1, 1, 3, 4), tolerance=1.0)
    assert values.tolist() == [[[[5.75, 8]]]] and indices.tolist() == [[[[0, 3]]]]
    assert max_pool(x.expand(1, 1, 3, 4))[1].tolist() == [[[[5, 3]]]]


def test_the_default_network_pools_weak_stripes_like_a_flat_area() -> None:
    network = PhotoWCT.from_checkpoint(DEFAULT_PHOTOWCT_CHECKPOINT)
    flat = torch.full((1, 3, 64, 64), 0.5)
    striped = flat + torch.sin(torch.arange(64) * 2 * torch.pi / 6) / 255
    poolings = (network.encoder(4)(image)[1] for image in (flat, striped))
    for of_flat, of_striped in zip(*poolings, strict=True):
        assert (of_flat.indices == of_striped.indices).float().mean() > 0.99


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("width", [None, 64], ids=["default", "by Winograd's method"])
def test_flat_areas_are_pooled_alike_in_single_and_double_precision(width: int | None) -> None:
    torch.manual_seed(0)
    if width is None:
        network = PhotoWCT.from_checkpoint(DEFAULT_PHOTOWCT_CHECKPOINT)
    else:
        names = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3")
        widths = dict.fromkeys((*names, "conv3_4", "conv4_1"), width)
        network = PhotoWCT(dict.fromkeys((1, 2, 3, 4), widths)).requires_grad_(False)
    photo = F.interpolate(torch.rand(1, 3, 8, 8), scale_factor=16, mode="bicubic").clamp(0, 1)
    # A sky at 255 and a shadow at 0, with ragged borders.
    photo = (photo * 255).round() / 255
    border = (20 + 9 * torch.sin(torch.arange(128) / 7)).long()
    rows = torch.arange(128)[:, None]
    photo[:, :, rows < border] = 1
    photo[:, :, rows > 127 - border] = 0
    single = network.encoder(4)(photo)[1]
    double = network.double().encoder(4)(photo.double())[1]
    for ours, exact in zip(single, double, strict=True):
        assert int((ours.indices != exact.indices).sum()) <= 5
