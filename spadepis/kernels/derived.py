"""What is computed from weights once, and again after they have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

Value = TypeVar("Value")


class Derived(Generic[Value]):
    """Keeps the last value; copies and pickles are empty."""

    def __init__(self) -> None:
        # Beside aliases of what it was made of, whose memory they keep from being given to other
        # tensors, and the versions and the key then.
        self._last: tuple[Value, list[Tensor], list[int], object] | None = None

    def get(self, key: object, tensors: Sequence[Tensor], make: Callable[[], Value]) -> Value:
        """The value, made now unless it was made of the same tensors and key before.

        A tensor counts as another one if it was changed in place, and also if its data was
        replaced, which is what ``Module.to`` does.
        """
        if not hasattr(Tensor, "_version"):
            return make()
        # Tensors made in inference mode do not tell when they change.
        versions = [0 if tensor.is_inference() else tensor._version for tensor in tensors]
        if self._last is not None:
            value, aliases, *others = self._last
            same = all(_is_same(a, b) for a, b in zip(tensors, aliases, strict=True))
            if same and others == [versions, key]:
                return value
        # What is made in inference mode could not be used where gradients are computed.
        with torch.inference_mode(False), torch.no_grad():
            value = make()
        self._last = value, [tensor.detach() for tensor in tensors], versions, key
        return value

    def clear(self) -> None:
        """Forget the value."""
        self._last = None

    def __reduce__(self) -> tuple[type[Derived[Value]], tuple[()]]:
        """An empty one."""
        return Derived, ()


def _is_same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are the same memory."""
    return (a.device, a.dtype, a.data_ptr()) == (b.device, b.dtype, b.data_ptr())
