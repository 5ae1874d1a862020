"""Compiles Triton's kernels for GPUs that need not be there.

    python -m tests.support.kernel_compiler 75

The argument is the compute capability of the GPU. Kernels that compile are printed.
"""

import sys
from collections.abc import Mapping
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from spadepis.smoothing import triton_solver

WARP = 32
# The parameters that are no pointers to float32.
INTEGERS = ("plane_stride", "pixels", "width", "tiles")
INTEGER_POINTERS = ("iterations",)
SIZES = {"tile_size": triton_solver.TILE, "part_count": triton_solver.PARTS}
KERNELS = (triton_solver._multiply, triton_solver._reduce)


def compile_kernel(kernel: Any, constants: Mapping[str, int], capability: int) -> None:
    """Compile a kernel as its first launch would."""
    types = dict.fromkeys(INTEGERS, "i32") | dict.fromkeys(INTEGER_POINTERS, "*i32")
    types |= dict.fromkeys(constants, "constexpr")
    signature = {name: types.get(name, "*fp32") for name in kernel.arg_names}
    source = ASTSource(kernel, signature, constexprs=dict(constants))
    triton.compile(source, target=GPUTarget("cuda", capability, WARP))


if __name__ == "__main__":
    for kernel in KERNELS:
        compile_kernel(kernel, SIZES, int(sys.argv[1]))
        print(kernel.__name__)
