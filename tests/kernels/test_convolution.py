"""Convolutions by Winograd's method against direct ones, and when which is chosen."""

import copy
import math
import pickle
from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.kernels import onednn, winograd
from spadepis.kernels.convolution import Convolution3x3, convolve_1x1
from tools.benchmark.measuring import count_macs

Padding = Literal["reflect", "zeros"]

pytestmark = pytest.mark.usefixtures("one_thread")


def _features(*shape: int) -> Tensor:
    features = torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    return features.contiguous(memory_format=torch.channels_last)


def _convolution(
    channels: int,
    channels_out: int,
    padding: Padding = "zeros",
    rectify: bool = False,
    exact_ties: bool = False,
) -> Convolution3x3:
    rng = np.random.default_rng(1)
    convolution = Convolution3x3(channels, channels_out, padding, rectify, exact_ties)
    convolution.requires_grad_(False)
    kernel = rng.normal(size=(channels_out, channels, 3, 3)) / math.sqrt(9 * channels)
    convolution.weight.copy_(torch.from_numpy(kernel))
    convolution.bias.copy_(torch.from_numpy(rng.normal(size=channels_out)))
    return convolution


def _directly(convolution: Convolution3x3, x: Tensor) -> Tensor:
    mode = {"reflect": "reflect", "zeros": "constant"}[convolution.padding_mode]
    padded = F.pad(x, (1, 1, 1, 1), mode=mode)
    convolved = F.conv2d(padded, convolution.weight.to(x), convolution.bias.to(x))
    return convolved.clamp(min=0) if convolution.rectify else convolved


def _macs_of(convolution: Convolution3x3, x: Tensor) -> int:
    return count_macs(lambda: convolution(x))


def is_transformed(convolution: Convolution3x3) -> bool:
    """Whether a convolution has used Winograd's method, and keeps what it needs for it."""
    return convolution._transformed._last is not None


def _rms(error: Tensor) -> float:
    return float(error.square().mean().sqrt())


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize(
    ("channels", "channels_out", "height", "width"),
    [(64, 64, 32, 32), (64, 128, 33, 21), (128, 64, 2, 260), (192, 64, 31, 18)],
)
def test_winograd_equals_direct_convolution(
    padding: Padding, rectify: bool, channels: int, channels_out: int, height: int, width: int
) -> None:
    x = _features(2, channels, height, width)
    convolution = _convolution(channels, channels_out, padding, rectify)
    y = convolution(x)
    assert is_transformed(convolution)
    assert y.shape == (2, channels_out, height, width)
    assert y.is_contiguous(memory_format=torch.channels_last)
    expected = _directly(convolution, x.double())
    assert _rms(y - expected) <= 3 * _rms(_directly(convolution, x) - expected)


def test_a_quarter_of_the_multiplications() -> None:
    x = _features(1, 64, 64, 64)
    convolution = _convolution(64, 128)
    direct = 64 * 64 * 9 * 64 * 128
    assert _macs_of(convolution, x) == direct // 4
    torch.set_num_threads(2)
    assert _macs_of(convolution, x) == direct


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_without_the_operators_of_onednn(padding: Padding, monkeypatch: pytest.MonkeyPatch) -> None:
    x = _features(2, 64, 33, 21)
    convolution = _convolution(64, 128, padding, rectify=True)
    by_winograd = convolution(x)
    monkeypatch.setattr(onednn, "is_available", lambda: False)
    assert _macs_of(convolution, x) == 2 * 33 * 21 * 9 * 64 * 128
    torch.testing.assert_close(convolution(x), by_winograd, rtol=0, atol=1e-5)


def test_missing_changed_and_wrong_operators_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = onednn.is_available.__wrapped__
    assert probe()

    def multiply_wrongly(x: Tensor, packed: Tensor) -> Tensor:
        return x.new_zeros(3, 2, 5)

    with monkeypatch.context() as patch:
        patch.setattr(onednn, "multiply", multiply_wrongly)
        assert not probe()
    with monkeypatch.context() as patch:
        patch.setattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", lambda weight: weight)
        assert not probe()
    with monkeypatch.context() as patch:
        patch.delattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
        assert not probe()
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not probe()


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_equal_neighbourhoods_have_equal_results(padding: Padding) -> None:
    x = _features(1, 64, 48, 52)
    # Two arms that meet, so that both the left and the upper neighbour of a pixel are like it.
    x[:, :, :30, :20] = x[:, :, 5:20, 10:40] = x[:, :, 30:, :9] = 1
    x[:, :, 25:, 40:] = x[:, :, 25:, 40:41]
    equal = {}
    for exact_ties in (False, True):
        convolution = _convolution(64, 64, padding, exact_ties=exact_ties)
        y = convolution(x)
        assert is_transformed(convolution)
        torch.testing.assert_close(y, _directly(convolution, x), rtol=0, atol=1e-5)
        equal[exact_ties] = [
            [int(same.sum()) for same in (_repeats(x, padding, axis), _equals(y, axis))]
            for axis in (2, 3)
        ]
    for repeats, equals in equal[True]:
        assert repeats == equals > 100
    assert any(equals < repeats for repeats, equals in equal[False])


def _repeats(x: Tensor, padding: str, axis: int) -> Tensor:
    """Where the 3x3 neighbourhood of a pixel equals that of the next one along an axis."""
    mode = {"reflect": "reflect", "zeros": "constant"}[padding]
    patches = F.unfold(F.pad(x, (1, 1, 1, 1), mode=mode), 3).view(1, -1, *x.shape[2:])
    return _equals(patches, axis)


def _equals(values: Tensor, axis: int) -> Tensor:
    length = values.shape[axis]
    following, preceding = values.narrow(axis, 1, length - 1), values.narrow(axis, 0, length - 1)
    return (following == preceding).all(dim=1)


def test_layouts_other_than_channels_last() -> None:
    x = _features(1, 64, 32, 32)
    convolution = _convolution(64, 64, "reflect")
    assert torch.equal(convolution(x.contiguous()), convolution(x))


def test_an_image_does_not_depend_on_those_beside_it() -> None:
    x = _features(3, 64, 40, 36)
    convolution = _convolution(64, 64, "reflect")
    alone = torch.cat([convolution(image[None]) for image in x])
    assert torch.equal(convolution(x), alone)


def test_not_a_number_stays_one() -> None:
    x = _features(1, 64, 32, 32)
    x[0, 5, 10, 10] = math.nan
    y = _convolution(64, 64, "reflect")(x)
    assert y[0, :, 9:12, 9:12].isnan().all()


@pytest.mark.parametrize(
    ("channels", "channels_out", "side", "dtype"),
    [
        (32, 64, 32, torch.float32),
        (64, 3, 32, torch.float32),
        (64, 64, 16, torch.float32),
        (64, 64, 32, torch.float64),
        (64, 64, 32, torch.bfloat16),
        (1024, 1024, 24, torch.float32),
    ],
    ids=["narrow", "three out", "small", "float64", "bfloat16", "huge"],
)
def test_what_is_convolved_directly(
    channels: int, channels_out: int, side: int, dtype: torch.dtype
) -> None:
    convolution = _ones(channels, channels_out).to(dtype)
    y = convolution(torch.ones(1, channels, side, side, dtype=dtype))
    assert not is_transformed(convolution)
    assert torch.equal(y, torch.full_like(y, 9 * channels))


@pytest.mark.parametrize("where", ["kernel", "features"])
def test_with_gradients_it_is_convolved_directly(where: str) -> None:
    convolution = _ones(64, 64).requires_grad_(where == "kernel")
    y = convolution(torch.ones(1, 64, 32, 32, requires_grad=where == "features"))
    assert not is_transformed(convolution)
    assert y.requires_grad
    assert torch.equal(y, torch.full_like(y, 9 * 64))


def _ones(channels: int, channels_out: int) -> Convolution3x3:
    convolution = _convolution(channels, channels_out, "reflect")
    convolution.weight.fill_(1)
    convolution.bias.fill_(0)
    return convolution


@pytest.mark.parametrize("inference", [False, True])
def test_a_kernel_that_changes_is_transformed_again(inference: bool) -> None:
    x = _features(1, 64, 32, 32)
    with torch.inference_mode(inference):
        convolution = _convolution(64, 64)
        before = convolution(x)
        convolution.weight.mul_(2)
        after = convolution(x)
    offset = convolution.bias[:, None, None]
    torch.testing.assert_close(after - offset, 2 * (before - offset), rtol=0, atol=1e-5)


@pytest.mark.parametrize("assign", [False, True])
def test_weights_that_are_loaded_are_transformed(assign: bool) -> None:
    x = _features(1, 64, 32, 32)
    convolution = _convolution(64, 64)
    before = convolution(x)
    weights = {key: 2 * value for key, value in convolution.state_dict().items()}
    convolution.load_state_dict(weights, assign=assign)
    torch.testing.assert_close(convolution(x), 2 * before, rtol=0, atol=1e-5)


def test_a_kernel_is_transformed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    transformed = []
    transform = winograd.transform_kernel

    def counted(kernel: Tensor) -> Tensor:
        transformed.append(kernel.shape)
        return transform(kernel)

    monkeypatch.setattr(winograd, "transform_kernel", counted)
    x = _features(1, 64, 32, 32)
    convolution = _convolution(64, 64)
    for _ in range(3):
        convolution(x)
    assert transformed == [(64, 64, 3, 3)]


def test_used_convolutions_can_be_copied_and_sent() -> None:
    x = _features(1, 64, 32, 32)
    convolution = _convolution(64, 64)
    y = convolution(x)
    for copied in (copy.deepcopy(convolution), pickle.loads(pickle.dumps(convolution))):
        assert not is_transformed(copied)
        assert torch.equal(copied(x), y)


def test_1x1_kernels_with_and_without_bias() -> None:
    x = _features(2, 5, 7, 3)
    weight, bias = torch.randn(4, 5, 1, 1), torch.randn(4)
    torch.testing.assert_close(convolve_1x1(x, weight, bias), F.conv2d(x, weight, bias))
    torch.testing.assert_close(convolve_1x1(x, weight), F.conv2d(x, weight))
