"""What an error says about a GPU: that its memory does not suffice, or that it works no more."""

from __future__ import annotations

import torch

# PyTorch's own error has a type; those of the libraries that it calls have only a text. cuDNN finds
# no algorithm, or fails inside, when it gets no memory; cuBLAS cannot be initialised.
TOO_LITTLE_MEMORY = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUSOLVER_STATUS_ALLOC_FAILED",
    "insufficient resources when calling",
    "CUDNN_STATUS_",
)
# Errors of CUDA have a type, too, but not if cuBLAS or Triton comes across them.
BROKEN = ("CUBLAS_STATUS_EXECUTION_FAILED", "CUBLAS_STATUS_INTERNAL_ERROR", "Triton Error [CUDA]")


def is_out_of_memory(error: Exception) -> bool:
    """Whether the same work may succeed on fewer items at once."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in TOO_LITTLE_MEMORY)


def is_broken_device(error: Exception) -> bool:
    """Whether every later call to the device would fail as well, in this process.

    A library that fails because of an earlier error of the device says what it says without memory,
    so that the device is asked.
    """
    if is_out_of_memory(error):
        return not _device_works()
    if isinstance(error, torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in BROKEN)


def _device_works() -> bool:
    try:
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()
    except torch.AcceleratorError:
        return False
    return True
