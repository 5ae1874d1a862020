"""Triton's kernels, interpreted on the CPU, assemble what the operators of PyTorch do."""

import numpy as np
import pytest
import torch

from spadepis.smoothing import torch_affinity
from tests.smoothing.images import edge, noise

pytest.importorskip("triton")

from spadepis.smoothing import triton_affinity


@pytest.mark.parametrize("size", [(1, 7), (6, 5)])
def test_equals_the_form_in_pytorch(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    # Several tiles, the last of them not full.
    monkeypatch.setattr(triton_affinity, "TILE", 16)
    grey = noise(*size)[..., :1].repeat(3, axis=2)
    contents = torch.from_numpy(np.stack([noise(*size, seed=1) * 0.02, grey, edge(*size)]))
    stencil = triton_affinity.smoothing_stencil(contents, 0.9999, 1e-7)
    expected = torch_affinity.smoothing_stencil(contents, 0.9999, 1e-7)
    assert stencil.dtype == torch.float32
    torch.testing.assert_close(stencil, expected, atol=1e-7, rtol=0)
