"""Triton's kernel, interpreted on the CPU, computes what the operators of PyTorch do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spadepis.labels import COCO_STUFF
from spadepis.spade import SpadeGenerator, modulation
from spadepis.spade.modulation import modulate
from tools.pretended_gpu import PretendedGpu

pytest.importorskip("triton")

from spadepis.spade import triton_modulation

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last block is not full."""
    monkeypatch.setattr(triton_modulation, "BLOCK", 64)


@pytest.mark.parametrize("negative_slope", [0.2, 1.0])
@pytest.mark.parametrize("channels", [5, 16])
@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_equals_the_form_in_pytorch(
    dtype: torch.dtype, indexed: bool, channels: int, negative_slope: float
) -> None:
    random = torch.Generator().manual_seed(0)
    # Not channels last.
    features = torch.randn(2, channels, 3, 7, generator=random).to(dtype)
    rows = 4 if indexed else 2 * 3 * 7
    table = torch.randn(rows, 2 * channels, generator=random).to(dtype)
    index = None
    if indexed:
        index = torch.randint(rows, (2, 3, 7), generator=random, dtype=torch.int32)
    modulated = triton_modulation.modulate(features, table, index, negative_slope)
    assert modulated.dtype == dtype
    assert modulated.is_contiguous(memory_format=torch.channels_last)
    # PyTorch rounds in between.
    tolerance = 2 * torch.finfo(dtype).eps
    expected = modulate(features, table, index, negative_slope)
    torch.testing.assert_close(modulated, expected, rtol=tolerance, atol=tolerance)


@torch.no_grad()
def test_the_generator_uses_the_kernel_where_triton_works(
    spade_checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = torch.arange(8, dtype=torch.uint8).repeat_interleave(8).expand(1, 64, 64)
    expected = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)(labels)
    monkeypatch.setattr(modulation, "runs_triton", lambda _: True)
    with PretendedGpu() as gpu:
        generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF, "cuda")
        for dense_above in (2.0, -1.0):
            generator.dense_above = dense_above
            image = generator(labels).cpu()
            torch.testing.assert_close(image, expected, rtol=0, atol=2e-6)
        # Nothing but the convolutions' own activation is left to PyTorch.
        gpu.restart()
        generator(labels)
    assert gpu.counts.operators["addcmul"] == 0 and gpu.counts.operators["leaky_relu_"] == 0


def test_the_kernels_compile_for_gpus(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.kernel_compiler", "spade", "75"]
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["_modulate", "_modulate", "_noise"]
