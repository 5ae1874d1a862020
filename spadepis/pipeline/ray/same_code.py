"""Computing only where the code is that of this process.

Another version of spadepis may make other images, or lack what it is asked for.
"""

from __future__ import annotations

import hashlib
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ray import cloudpickle
from ray.util import get_node_ip_address

T = TypeVar("T")

# What is defined here goes to workers as it is, because their version may not have this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def code_here() -> str:
    """The version of spadepis in this environment, with a hash of its source."""
    try:
        import spadepis
    except ImportError:
        return "no spadepis"
    folder = Path(spadepis.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return f"spadepis {spadepis.__version__} (source {digest.hexdigest()[:8]})"


def function_with_same_code(function: Callable[[], T]) -> Callable[[], T]:
    """A function that calls another one where the code is the same.

    It raises ``ImportError`` elsewhere, with a message that says which code is where.
    """
    packed, driver = cloudpickle.dumps(function), code_here()

    def call() -> T:
        if difference := _difference(driver):
            raise ImportError(difference)
        result: T = pickle.loads(packed)()
        return result

    return call


def class_with_same_code(kind: type) -> type:
    """A class whose instances are called like those of another one where the code is the same.

    Elsewhere their first call raises ``ImportError``; for an error in a constructor, Ray shows
    stacks of its own.
    """
    packed, driver = cloudpickle.dumps(kind), code_here()

    class Guard:
        """An instance of the class, or what differs."""

        def __init__(self) -> None:
            self._difference = _difference(driver)
            self._instance = None if self._difference else pickle.loads(packed)()

        def __call__(self, batch: Any) -> Any:
            if self._instance is None:
                raise ImportError(self._difference)
            return self._instance(batch)

    # Ray Data names its operators by the class.
    Guard.__name__ = Guard.__qualname__ = kind.__name__
    return Guard


def _difference(driver: str) -> str:
    """What is to be told if the code here is not that of the driver; empty if it is."""
    here = code_here()
    if here == driver:
        return ""
    return (
        f"the driver has {driver}, but {socket.gethostname()} ({get_node_ip_address()}) has "
        f"{here}; use the same environment or image everywhere"
    )
