"""What a device is and what it can do at most."""

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
    """The most that a device does in this process: the best of a few runs.

    Attributes:
        macs_per_second: multiply-accumulates of a large matrix product.
        bytes_per_second: read and written by a large copy.
    """

    macs_per_second: float
    bytes_per_second: float


def device_name(device: str) -> str:
    """The processor or GPU, as it calls itself."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def measure_peak(device: str, dtype: torch.dtype = torch.float32) -> Peak:
    """Time a large matrix product and a large copy.

    The product may use what convolutions may use: on NVIDIA GPUs they round float32 to TF32 unless
    told otherwise.
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
    """How long a run takes, until the device is done."""
    start = perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return perf_counter() - start


def return_freed_memory() -> None:
    """Undo ``keep_freed_memory``: hand freed blocks back as glibc does by default.

    The thresholds are those that its default ends at after a few large blocks.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, DEFAULT_MMAP_MAX)
    libc.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
    libc.mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_MMAP_THRESHOLD)
    libc.mallopt(M_TOP_PAD, DEFAULT_TOP_PAD)


def release_memory() -> None:
    """Hand all that is free back to the system."""
    ctypes.CDLL(None).malloc_trim(0)


def reset_peak_memory(device: str) -> None:
    """Forget the peak so far."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: str) -> int:
    """Most bytes since ``reset_peak_memory``: allocated on a GPU, else resident in this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    # Kilobytes, and never forgotten.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
