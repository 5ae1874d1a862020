import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.kernels import convolution, winograd
from spadepis.kernels.convolution import convolve_3x3
from tools.benchmark.measuring import count_macs

pytestmark = pytest.mark.usefixtures("one_thread")


def _features(*shape: int) -> Tensor:
    features = torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    return features.contiguous(memory_format=torch.channels_last)


def _kernel(channels_out: int, channels: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(channels_out, channels, 3, 3)) / math.sqrt(9 * channels)
    bias = rng.normal(size=channels_out)
    return torch.from_numpy(kernel).float(), torch.from_numpy(bias).float()


def _directly(x: Tensor, kernel: Tensor, bias: Tensor, padding: str, rectify: bool) -> Tensor:
    mode = {"reflect": "reflect", "zeros": "constant"}[padding]
    padded = F.pad(x.double(), (1, 1, 1, 1), mode=mode)
    convolved = F.conv2d(padded, kernel.double(), bias.double())
    return convolved.clamp(min=0) if rectify else convolved


def _macs_of(x: Tensor, kernel: Tensor, bias: Tensor) -> int:
    return count_macs(lambda: convolve_3x3(x, kernel, bias, "zeros"))


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
@pytest.mark.parametrize("rectify", [False, True])
@pytest.mark.parametrize(
    ("channels", "channels_out", "height", "width"),
    [(64, 64, 32, 32), (64, 128, 33, 21), (128, 64, 2, 260), (192, 64, 31, 18)],
)
def test_winograd_equals_direct_convolution(
    padding: str, rectify: bool, channels: int, channels_out: int, height: int, width: int
) -> None:
    x = _features(2, channels, height, width)
    kernel, bias = _kernel(channels_out, channels)
    y = convolve_3x3(x, kernel, bias, padding, rectify)  # type: ignore[arg-type]
    assert kernel in convolution._transformed
    assert y.shape == (2, channels_out, height, width)
    assert y.is_contiguous(memory_format=torch.channels_last)
    expected = _directly(x, kernel, bias, padding, rectify)
    direct = _directly_in_float32(x, kernel, bias, padding, rectify)
    assert _rms(y - expected) <= 3 * _rms(direct - expected)


def _directly_in_float32(
    x: Tensor, kernel: Tensor, bias: Tensor, padding: str, rectify: bool
) -> Tensor:
    torch.set_num_threads(2)
    return convolve_3x3(x, kernel, bias, padding, rectify)  # type: ignore[arg-type]


def _rms(error: Tensor) -> float:
    return float(error.square().mean().sqrt())


def test_a_quarter_of_the_multiplications() -> None:
    x = _features(1, 64, 64, 64)
    kernel, bias = _kernel(128, 64)
    direct = 64 * 64 * 9 * 64 * 128
    assert _macs_of(x, kernel, bias) == direct // 4
    torch.set_num_threads(2)
    assert _macs_of(x, kernel, bias) == direct


def test_layouts_other_than_channels_last() -> None:
    x = _features(1, 64, 32, 32)
    kernel, bias = _kernel(64, 64)
    contiguous = convolve_3x3(x.contiguous(), kernel, bias, "reflect")
    assert torch.equal(contiguous, convolve_3x3(x, kernel, bias, "reflect"))


def test_an_image_does_not_depend_on_those_beside_it() -> None:
    x = _features(3, 64, 40, 36)
    kernel, bias = _kernel(64, 64)
    together = convolve_3x3(x, kernel, bias, "reflect")
    alone = torch.cat([convolve_3x3(image[None], kernel, bias, "reflect") for image in x])
    assert torch.equal(together, alone)


def test_not_a_number_stays_one() -> None:
    x = _features(1, 64, 32, 32)
    x[0, 5, 10, 10] = math.nan
    kernel, bias = _kernel(64, 64)
    y = convolve_3x3(x, kernel, bias, "reflect")
    assert y[0, :, 9:12, 9:12].isnan().all()


@pytest.mark.parametrize(
    ("x", "kernel"),
    [
        (torch.ones(1, 32, 32, 32), torch.ones(64, 32, 3, 3)),
        (torch.ones(1, 64, 32, 32), torch.ones(3, 64, 3, 3)),
        (torch.ones(1, 64, 16, 16), torch.ones(64, 64, 3, 3)),
        (torch.ones(1, 64, 32, 32).double(), torch.ones(64, 64, 3, 3).double()),
        (torch.ones(1, 64, 32, 32).bfloat16(), torch.ones(64, 64, 3, 3).bfloat16()),
        (torch.ones(1, 64, 32, 32), torch.ones(64, 64, 3, 3).requires_grad_()),
        (torch.ones(1, 64, 32, 32).requires_grad_(), torch.ones(64, 64, 3, 3)),
        (torch.ones(1, 1024, 24, 24), torch.ones(1024, 1024, 3, 3)),
    ],
    ids=["narrow", "three out", "small", "float64", "bfloat16", "training", "gradient", "huge"],
)
def test_what_is_convolved_directly(x: Tensor, kernel: Tensor) -> None:
    bias = torch.zeros(len(kernel), dtype=kernel.dtype)
    y = convolve_3x3(x, kernel, bias, "reflect")
    assert kernel not in convolution._transformed
    assert torch.equal(y, torch.full_like(y, 9 * x.shape[1]))


@pytest.mark.parametrize("inference", [False, True])
def test_a_kernel_that_changes_is_transformed_again(inference: bool) -> None:
    x = _features(1, 64, 32, 32)
    with torch.inference_mode(inference):
        kernel, bias = _kernel(64, 64)
        before = convolve_3x3(x, kernel, bias, "zeros")
        kernel.mul_(2)
        after = convolve_3x3(x, kernel, bias, "zeros")
    offset = bias[:, None, None]
    torch.testing.assert_close(after - offset, 2 * (before - offset), rtol=0, atol=1e-5)


def test_a_kernel_is_transformed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    transformed = []
    transform = winograd.transform_kernel

    def counted(kernel: Tensor) -> Tensor:
        transformed.append(kernel.shape)
        return transform(kernel)

    monkeypatch.setattr(winograd, "transform_kernel", counted)
    x = _features(1, 64, 32, 32)
    kernel, bias = _kernel(64, 64)
    for _ in range(3):
        convolve_3x3(x, kernel, bias, "zeros")
    assert transformed == [(64, 64, 3, 3)]


def test_what_is_kept_goes_with_its_kernel() -> None:
    x = _features(1, 64, 32, 32)
    kernel, bias = _kernel(64, 64)
    before = len(convolution._transformed)
    convolve_3x3(x, kernel, bias, "zeros")
    assert len(convolution._transformed) == before + 1
    del kernel
    assert len(convolution._transformed) == before
