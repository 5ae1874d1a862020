"""The name of a device, its peak rates and its memory."""

from __future__ import annotations

import ctypes
import platform
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.pipeline.workers.process import M_MMAP_MAX, M_TOP_PAD, M_TRIM_THRESHOLD

# Sides of the matrices, and bytes copied: large beside caches, small beside the time allowed.
MATRIX_SIDE = {"cpu": 2048, "cuda": 8192}
COPIED_BYTES = {"cpu": 2**28, "cuda": 2**31}
REPEATS = 5

# Of glibc's mallopt, and what it does by default.
M_MMAP_THRESHOLD = -3
LARGEST_MMAP_THRESHOLD = 1 << 25
DEFAULT_MMAP_MAX = 1 << 16
DEFAULT_TOP_PAD = 1 << 17


@dataclass(frozen=True)
class Peak:
    """The peak rates of a device in this process, the best of a few runs.

    Attributes:
        macs_per_second: multiply-accumulates per second of a large matrix product.
        bytes_per_second: bytes per second that a large copy reads and writes.
    """

    macs_per_second: float
    bytes_per_second: float


def device_name(device: str) -> str:
    """The model name of the processor or GPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def measure_peak(device: str, dtype: torch.dtype = torch.float32) -> Peak:
    """Time a large matrix product and a large copy.

    The product uses TF32 if convolutions may use it, as they do by default on NVIDIA GPUs.
    """
    side = MATRIX_SIDE[device]
    a = torch.rand(side, side, device=device, dtype=dtype)
    source = torch.zeros(COPIED_BYTES[device], dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    # The same as a 1x1 convolution: on some CPUs those of PyTorch are the faster ones.
    image = a[None, :, None].permute(0, 3, 1, 2)
    products = (lambda: a @ a, lambda: F.conv2d(image, a[:, :, None, None], dilation=2))
    product = min(seconds(product, device) for product in products for _ in range(REPEATS))
    torch.backends.cuda.matmul.allow_tf32 = allowed
    copy = min(seconds(lambda: target.copy_(source), device) for _ in range(REPEATS))
    return Peak(side**3 / product, 2 * len(source) / copy)


def seconds(run: Callable[[], Tensor], device: str) -> float:
    """Time a run until the device has finished."""
    start = perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return perf_counter() - start


def return_freed_memory() -> None:
    """Undo ``keep_freed_memory``: return freed blocks to the system as glibc does by default.

    The thresholds are those that glibc's dynamic default reaches after a few large blocks.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, DEFAULT_MMAP_MAX)
    libc.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
    libc.mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_MMAP_THRESHOLD)
    libc.mallopt(M_TOP_PAD, DEFAULT_TOP_PAD)


def release_memory() -> None:
    """Return all free memory to the system."""
    ctypes.CDLL(None).malloc_trim(0)


def reset_peak_memory(device: str) -> None:
    """Start to measure the peak anew."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: str) -> int:
    """Peak bytes since ``reset_peak_memory``: allocated on a GPU, or resident in this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    # In kilobytes, over the whole life of the process.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
