"""The precision in which networks compute: float32 without shortcuts, or a half as wide type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch

# PyTorch says nothing about the types of what it lets one set.
_backends: Any = torch.backends
# Where the factors of float32 products may be rounded, to TF32 or bfloat16.
_SETTINGS = (
    _backends.cuda.matmul,
    _backends.cudnn.conv,
    _backends.mkldnn.matmul,
    _backends.mkldnn.conv,
)
_lock = Lock()
_inside = 0
_outside: list[str] = []


@contextmanager
def exact_float32() -> Iterator[None]:
    """Multiply float32 as float32, whatever the process has set; its settings are restored after.

    They are settings of the process, not of a thread: they are restored when the last thread
    leaves.
    """
    global _inside
    with _lock:
        if _inside == 0:
            _outside[:] = [setting.fp32_precision for setting in _SETTINGS]
            for setting in _SETTINGS:
                setting.fp32_precision = "ieee"
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                for setting, before in zip(_SETTINGS, _outside, strict=True):
                    # Where that is what it was, it goes on following a more general setting.
                    setting.fp32_precision = "none"
                    if setting.fp32_precision != before:
                        setting.fp32_precision = before


def bfloat16_or_float16(device: str | torch.device) -> torch.dtype:
    """bfloat16 on CPUs and on GPUs that multiply it (compute capability 8.0), else float16.

    bfloat16 has the range of float32, so that features cannot overflow.
    """
    device = torch.device(device)
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0):
        return torch.float16
    return torch.bfloat16
