"""Float32 stays float32, and settings of the process stay what they were."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from spadepis.kernels.precision import bfloat16_or_float16, exact_float32
from tools.pretended_gpu import PretendedGpu

backends: Any = torch.backends
SETTINGS = (
    backends.cuda.matmul,
    backends.cudnn.conv,
    backends.mkldnn.matmul,
    backends.mkldnn.conv,
)


def precisions() -> list[str]:
    return [setting.fp32_precision for setting in SETTINGS]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before, everything = precisions(), backends.fp32_precision
    yield
    torch.set_float32_matmul_precision("highest")
    backends.fp32_precision = everything
    for setting, value in zip(SETTINGS, before, strict=True):
        setting.fp32_precision = value


def nothing() -> None:
    pass


def legacy() -> None:
    backends.cuda.matmul.allow_tf32 = True
    backends.cudnn.allow_tf32 = True


def matmul_precision() -> None:
    torch.set_float32_matmul_precision("medium")


def everything() -> None:
    backends.fp32_precision = "tf32"


def each() -> None:
    backends.cuda.matmul.fp32_precision = "tf32"
    backends.cudnn.conv.fp32_precision = "ieee"
    backends.mkldnn.matmul.fp32_precision = "bf16"


@pytest.mark.parametrize("set_up", [nothing, legacy, matmul_precision, everything, each])
def test_settings_are_overruled_and_restored(set_up: object) -> None:
    assert callable(set_up)
    set_up()
    before = precisions()
    with exact_float32():
        assert precisions() == ["ieee"] * 4
        with exact_float32():
            pass
        assert precisions() == ["ieee"] * 4
    assert precisions() == before
    with pytest.raises(KeyError), exact_float32():
        raise KeyError
    assert precisions() == before


def test_old_settings_can_still_be_read() -> None:
    legacy()
    with exact_float32():
        pass
    assert backends.cuda.matmul.allow_tf32 and backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "high"


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_half_precision_is_that_of_the_card(
    capability: tuple[int, int], dtype: torch.dtype
) -> None:
    with PretendedGpu(capability):
        assert bfloat16_or_float16("cuda:0") == dtype
    assert bfloat16_or_float16("cpu") == torch.bfloat16
