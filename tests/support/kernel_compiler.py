"""Compiles Triton's kernels for GPUs that need not be there.

    python -m tests.support.kernel_compiler smoothing 75

The arguments are a part of the package and the compute capability of the GPU. Kernels that compile
are printed.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from spadepis.smoothing import triton_affinity, triton_solver
from spadepis.spade import triton_modulation, triton_noise

WARP = 32


@dataclass(frozen=True)
class Kernel:
    """A kernel as one of its launches has it.

    Attributes:
        function: the kernel.
        types: types of its parameters; those not named are pointers to float32.
        constants: values of the parameters that are known when it is compiled.
    """

    function: Any
    types: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, float | None] = field(default_factory=dict)

    def compile(self, capability: int) -> None:
        """Compile it as the first such launch would."""
        types = dict(self.types) | dict.fromkeys(self.constants, "constexpr")
        signature = {name: types.get(name, "*fp32") for name in self.function.arg_names}
        source = ASTSource(self.function, signature, constexprs=dict(self.constants))
        triton.compile(source, target=GPUTarget("cuda", capability, WARP))


_AFFINITY_TYPES = {"contents": "*fp64", "windows": "*fp64", "height": "i32", "width": "i32"}
_AFFINITY_SIZES = {"tile_size": triton_affinity.TILE}
_SOLVER_TYPES = dict.fromkeys(("plane_stride", "pixels", "width", "tiles"), "i32")
_SOLVER_TYPES["iterations"] = "*i32"
_SOLVER_SIZES = {"tile_size": triton_solver.TILE, "part_count": triton_solver.PARTS}
_HALF = dict.fromkeys(("features", "modulation", "output"), "*fp16")
_HALF |= {"index": "*i32", "count": "i64", "negative_slope": "fp32"}
_MODULATION_SIZES = {"channels": 48, "block": triton_modulation.BLOCK}
_NOISE_TYPES = {"row_states": "*i64", "output": "*fp16", "count": "i64", "width": "i32"}
_NOISE_TYPES |= dict.fromkeys(("mean", "deviation"), "fp32")
_NOISE_SIZES = {"step": 0x9E3779B9, "block": triton_noise.BLOCK}
KERNELS = {
    "smoothing": [
        Kernel(triton_affinity._find_windows, _AFFINITY_TYPES, _AFFINITY_SIZES | {"epsilon": 1e-7}),
        Kernel(triton_affinity._assemble, _AFFINITY_TYPES, _AFFINITY_SIZES | {"beta": 0.9999}),
        Kernel(triton_solver._multiply, _SOLVER_TYPES, _SOLVER_SIZES),
        Kernel(triton_solver._reduce, _SOLVER_TYPES, _SOLVER_SIZES),
    ],
    "spade": [
        Kernel(triton_modulation._modulate, _HALF, _MODULATION_SIZES),
        Kernel(triton_modulation._modulate, _HALF, _MODULATION_SIZES | {"index": None}),
        Kernel(triton_noise._noise, _NOISE_TYPES, _NOISE_SIZES),
    ],
}


if __name__ == "__main__":
    for kernel in KERNELS[sys.argv[1]]:
        kernel.compile(int(sys.argv[2]))
        print(kernel.function.__name__)
