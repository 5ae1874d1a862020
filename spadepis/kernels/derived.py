"""What is computed from weights once, and again after they have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from torch import Tensor

Value = TypeVar("Value")


class Derived(Generic[Value]):
    """Keeps the last value; copies and pickles are empty."""

    def __init__(self) -> None:
        self._made_of: list[Tensor] = []
        self._versions: list[int] = []
        self._key: object = None
        self._value: Value | None = None

    def get(self, key: object, tensors: Sequence[Tensor], make: Callable[[], Value]) -> Value:
        """The value, made now unless it was made of the same tensors and key before."""
        # Tensors made in inference mode do not tell when they change.
        versions = [0 if tensor.is_inference() else tensor._version for tensor in tensors]
        if (
            self._value is None
            or key != self._key
            or versions != self._versions
            or any(a is not b for a, b in zip(tensors, self._made_of, strict=True))
        ):
            self._value = make()
            self._key, self._made_of, self._versions = key, list(tensors), versions
        return self._value

    def __reduce__(self) -> tuple[type[Derived[Value]], tuple[()]]:
        """An empty one."""
        return Derived, ()
