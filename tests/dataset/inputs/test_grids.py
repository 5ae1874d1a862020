"""Which sizes are those of one picture."""

import math
from collections.abc import Callable

import pytest

from spadepis.dataset.inputs.grids import is_same_shape

ROUNDINGS: dict[str, Callable[[float], int]] = {"down": int, "nearest": round, "up": math.ceil}


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (640, 427), (1920, 640), (640, 1920)])
def test_scaled_sizes_are_of_one_picture_however_they_were_rounded(
    size: tuple[int, int], rounding: str
) -> None:
    for scale in (i / 1000 for i in range(20, 2000, 3)):
        height, width = (ROUNDINGS[rounding](side * scale) for side in size)
        assert is_same_shape((height, width), size), scale
        assert is_same_shape(size, (height, width)), scale


def test_other_proportions_are_another_picture() -> None:
    for other in ((480, 643), (483, 640), (640, 480), (240, 323), (320, 320), (512, 512)):
        assert not is_same_shape((480, 640), other)
        assert not is_same_shape(other, (480, 640))
