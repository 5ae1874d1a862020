"""Numbers of quadruples against those of ``numpy.unique``."""

import numpy as np
import pytest

from spadepis.kernels.numbering import number_quadruples


@pytest.mark.parametrize("most", [1, 2, 5, 2**40])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (13, 30)])
def test_equal_quadruples_have_equal_numbers(shape: tuple[int, int], most: int) -> None:
    entries = np.random.default_rng(0).integers(0, most, (4, *shape))
    numbers, first = number_quadruples(entries[0], entries[1], entries[2], entries[3])
    quadruples = entries.reshape(4, -1).T
    distinct = np.unique(quadruples, axis=0)
    assert len(first) == len(distinct)
    np.testing.assert_array_equal(quadruples[first][numbers.flatten()], quadruples)
    # In order of appearance.
    assert first[0] == 0 and (np.diff(first) > 0).all()
    np.testing.assert_array_equal(numbers.flatten()[first], np.arange(len(first)))
