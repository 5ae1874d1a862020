"""Kernels of Triton are used on GPUs alone."""

import torch

from spadepis.kernels.triton_driver import runs_triton


def test_kernels_are_for_gpus_alone() -> None:
    assert not runs_triton(torch.device("cpu"))
    assert runs_triton(torch.device("cuda")) == torch.cuda.is_available()
