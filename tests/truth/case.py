"""What a case is: inputs, what they mean, and whether they may be refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Reader(Protocol):
    """The product, or another program that is measured by the same cases."""

    def photo(self, path: Path) -> Array:
        """A photo as displayed, uint8 [H,W,3]."""
        ...

    def label_map(
        self, path: Path, label_space: str, neighbours: Path | None, scaling: str | None
    ) -> Array:
        """The label values of a file, integers [H,W], among those of a folder."""
        ...

    def checked(self, path: Path, label_space: str, folder: Path) -> Array:
        """The label values of a file, after the set in a folder was checked as before a job."""
        ...

    def scene(self, folder: Path, id: str, grid: str | None) -> tuple[Array, Array]:
        """Photo and class indices of a scene in folders ``photos`` and ``masks``, of one size."""
        ...

    def instances(self, mask: Path, instances: Path) -> Array:
        """Instance edges on the grid of a label map."""
        ...

    def instances_of_set(self, folder: Path, id: str) -> Array:
        """Instance edges of a scene in folders ``masks`` and ``instances``, among others."""
        ...

    def values_by_id(self, uri: str) -> Mapping[str, int]:
        """The first label value of every image that a folder, a glob or shards hold."""
        ...

    def ids(self, uri: str) -> Sequence[str]:
        """The ids of all images there."""
        ...


@dataclass(frozen=True)
class Case:
    """Inputs that mean something.

    Attributes:
        name: of the case.
        read: writes the inputs into an empty folder and reads them.
        truth: what they mean: an array, a mapping, or several arrays.
        refusal: regular expression of the reason for which they are refused; None where they are
            to be read.
        tolerance: largest difference of an array, and a tenth of it on average.
    """

    name: str
    read: Callable[[Reader, Path], Any]
    truth: Any = None
    refusal: str | None = None
    tolerance: float = 0


def is_true(found: Any, case: Case) -> bool:
    """Whether what was read is what the inputs mean."""
    if isinstance(case.truth, tuple):
        parts = zip(found, case.truth, strict=True)
        return all(_is_equal(part, truth, case.tolerance) for part, truth in parts)
    if isinstance(case.truth, np.ndarray):
        return _is_equal(found, case.truth, case.tolerance)
    return bool(found == case.truth)


def _is_equal(found: Array, truth: Array, tolerance: float) -> bool:
    if found.shape != truth.shape:
        return False
    difference = np.abs(found.astype(np.int64) - truth.astype(np.int64))
    return bool(difference.max() <= tolerance and difference.mean() <= tolerance / 10)
