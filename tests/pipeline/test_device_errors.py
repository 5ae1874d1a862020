"""Which errors mean too little memory of a device, and which the end of it."""

import pytest
import torch

from spadepis.pipeline.device_errors import is_broken_device, is_out_of_memory

TOO_LITTLE = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    # Of pinned memory, for example.
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("Triton Error [CUDA]: out of memory"),
]
BROKEN = [
    torch.AcceleratorError("CUDA error: device-side assert triggered"),
    torch.AcceleratorError("CUDA error: unspecified launch failure"),
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered"),
    RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
]
NEITHER = [RuntimeError("shapes do not fit"), ValueError("out of memory"), MemoryError()]


@pytest.mark.parametrize("error", [*TOO_LITTLE, *BROKEN, *NEITHER], ids=str)
def test_what_an_error_means(error: Exception) -> None:
    assert is_out_of_memory(error) == (error in TOO_LITTLE)
    assert is_broken_device(error) == (error in BROKEN)


@pytest.mark.parametrize("error", TOO_LITTLE, ids=str)
def test_a_broken_device_may_say_that_it_has_no_memory(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert not is_broken_device(error)
    monkeypatch.setattr(torch.cuda, "synchronize", fail)
    assert is_broken_device(error)
