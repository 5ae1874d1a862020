"""A pretended GPU: its tensors say that they are on ``cuda:0``, and the CPU computes them.

It counts what would make a GPU wait, on any machine: launches, host synchronisations, tensors left
on the wrong device, and float64. It says nothing about time. Triton finds no driver, so that
PyTorch's operators are used instead of kernels. A kernel that is called all the same is counted at
its launch; it needs TRITON_INTERPRET=1 in the environment.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

import spadepis

CUDA = torch.device("cuda", 0)
PACKAGE = Path(spadepis.__file__).parent

# The host waits for what these return, or for whether they succeeded.
SYNCHRONISING = {
    "_linalg_check_errors",
    "_linalg_eigh",
    "_local_scalar_dense",
    "_unique2",
    "equal",
    "is_nonzero",
    "masked_select",
    "nonzero",
    "repeat_interleave",
    "unique_consecutive",
    "unique_dim",
}
# Beside views, these start nothing on a GPU.
NOT_LAUNCHED = {
    "_unsafe_view",
    "empty",
    "empty_like",
    "empty_strided",
    "lift_fresh",
    "new_empty",
    "new_empty_strided",
}
INDEXING = {"_index_put_impl_", "index", "index_put", "index_put_"}
# They take tensors of both devices.
CROSSING = {"_to_copy", "copy_", *INDEXING}


@dataclass(frozen=True)
class Counts:
    """What the pretended GPU was asked for; each counter is by line of the package's source.

    Attributes:
        launches: operators of PyTorch that compute something; each is one kernel or more.
        synchronisations: times at which the host waits for all that it has launched.
        uploads: copies to the device for which the host waits, as their source is not pinned.
        float64: launches whose result is float64.
        wrong_device: operators given tensors of the CPU and the GPU together.
        operators: launches by operator.
        bytes: of all operands and results of launches. Kernels of Triton are not counted.
    """

    launches: Counter[str] = field(default_factory=Counter)
    synchronisations: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)
    float64: Counter[str] = field(default_factory=Counter)
    wrong_device: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)


class PretendedTensor(Tensor):
    """A tensor that claims to be on the GPU.

    Attributes:
        on_host: where its values are.
    """

    on_host: Tensor

    @staticmethod
    def __new__(cls, on_host: Tensor) -> Self:
        """Wrap a tensor of the CPU."""
        dense = on_host.layout == torch.strided
        tensor: Self = torch.Tensor._make_wrapper_subclass(
            cls,
            on_host.shape,
            strides=on_host.stride() if dense else None,
            storage_offset=on_host.storage_offset() if dense else None,
            dtype=on_host.dtype,
            device=CUDA,
        )
        tensor.on_host = on_host
        return tensor

    def __repr__(self) -> str:  # type: ignore[override]
        """The values, and whose they are."""
        return f"PretendedTensor({self.on_host!r})"

    def data_ptr(self) -> int:
        """Where its values are."""
        return self.on_host.data_ptr()

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: Any) -> Any:
        """Refuse what happens outside a ``PretendedGpu``."""
        raise RuntimeError(f"{func} on a tensor of a GPU that is no longer pretended")


class PretendedGpu(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, PyTorch seems to have a GPU, ``cuda:0``.

    Its tensors cannot be used outside; ``tensor.cpu()`` brings their values to the CPU.

    Args:
        capability: the compute capability that it claims.

    Attributes:
        counts: since it was entered, or since ``restart``.
    """

    def __init__(self, capability: tuple[int, int] = (9, 0)) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.capability = capability
        self.counts = Counts()
        self._patches = ExitStack()

    def __enter__(self) -> Self:
        """Let PyTorch take devices and pinned memory for granted."""
        overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
        set_overwrite = torch.__future__.set_overwrite_module_params_on_conversion
        set_overwrite(True)
        self._patches.callback(set_overwrite, overwrite)
        torch._C._ensureCUDADeviceGuardSet()
        for name, instead in (
            ("torch.cuda._lazy_init", lambda: None),
            ("torch.cuda.get_device_capability", lambda *_: self.capability),
            ("torch.Tensor.pin_memory", lambda tensor, *_: tensor),
            ("torch.tensor", _make_tensor),
            ("torch.cuda.Event", _Event),
            ("torch.cuda.device_of", lambda _: nullcontext()),
        ):
            self._patches.enter_context(patch(name, instead))
        if find_spec("triton") is not None:
            self._patches.enter_context(self._count_kernels())
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        """Leave PyTorch as it was."""
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._patches.close()

    def restart(self) -> Counts:
        """Count from zero again; returns what was counted up to now."""
        counts, self.counts = self.counts, Counts()
        return counts

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Compute on the CPU, and count."""
        kwargs = dict(kwargs or {})
        target = kwargs.pop("device", None)
        if target is not None:
            target = torch.device(target).type
            kwargs["device"] = torch.device("cpu")
        if "pin_memory" in kwargs:
            kwargs["pin_memory"] = False
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        pretended = [tensor for tensor in given if isinstance(tensor, PretendedTensor)]
        if not pretended and target != "cuda":
            return func(*args, **kwargs)
        args_on_host, kwargs_on_host = tree_map(_host_values, (args, kwargs))
        result = func(*args_on_host, **kwargs_on_host)
        self._count(func, args, kwargs, given, target, result)
        wrapped = {id(tensor.on_host): tensor for tensor in pretended}

        def wrap(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            # What is written in place stays the same tensor.
            if id(value) in wrapped:
                return wrapped[id(value)]
            return value if target == "cpu" else PretendedTensor(value)

        return tree_map(wrap, result)

    def _count_kernels(self) -> AbstractContextManager[Any]:
        from triton.runtime.interpreter import InterpretedFunction

        run = InterpretedFunction.run

        def count_and_run(kernel: Any, *args: Any, **kwargs: Any) -> None:
            self.counts.launches[_place()] += 1
            self.counts.operators[kernel.__name__] += 1
            run(kernel, *tree_map(_host_values, args), **kwargs)

        return patch.object(InterpretedFunction, "run", count_and_run)

    def _count(
        self,
        func: Any,
        args: Any,
        kwargs: dict[str, Any],
        given: list[Tensor],
        target: str | None,
        result: Any,
    ) -> None:
        name = func._schema.name.partition("::")[2]
        place = _place()
        counts = self.counts
        on_host = [tensor for tensor in given if not isinstance(tensor, PretendedTensor)]
        uploaded = name == "_to_copy" and target == "cuda" and bool(on_host)
        copied_over = name == "copy_" and bool(on_host) and args[0] is not on_host[0]
        if copied_over or (uploaded and not kwargs.get("non_blocking")):
            counts.uploads[place] += 1
        copied_back = name == "copy_" and bool(on_host) and args[0] is on_host[0]
        waits_for_copy = copied_back and not (kwargs.get("non_blocking") or True in args[2:])
        if target == "cpu" or name in SYNCHRONISING or waits_for_copy:
            counts.synchronisations[place] += 1
        if name in INDEXING:
            indices = [index for index in tree_leaves(args[1]) if isinstance(index, Tensor)]
            # The host asks how many elements a mask selects.
            counts.synchronisations[place] += any(i.dtype == torch.bool for i in indices)
            counts.uploads[place] += any(not isinstance(i, PretendedTensor) for i in indices)
        elif name not in CROSSING and any(tensor.ndim for tensor in on_host):
            counts.wrong_device[place] += 1
        if func.is_view or name in NOT_LAUNCHED:
            return
        counts.launches[place] += 1
        counts.operators[name] += 1
        results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        counts.float64[place] += any(tensor.dtype == torch.float64 for tensor in results)
        counts.bytes[place] += sum(tensor.nbytes for tensor in [*given, *results])


def _host_values(value: Any) -> Any:
    return value.on_host if isinstance(value, PretendedTensor) else value


_tensor = torch.tensor


def _make_tensor(data: Any, device: Any = None, **options: Any) -> Tensor:
    """``torch.tensor``, which would ask a GPU that is not there."""
    tensor = _tensor(data, **options)
    return tensor if device is None else tensor.to(device)


class _Event:
    """An event of a stream on which all is done at once."""

    def record(self) -> None:
        """Mark what has been launched."""

    def synchronize(self) -> None:
        """Wait for what was marked, but not for what was launched after it."""


def _place() -> str:
    """The line of the package that is being run, as ``file:line``."""
    frame = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            return f"{path.relative_to(PACKAGE)}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "outside spadepis"
