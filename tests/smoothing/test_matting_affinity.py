from types import ModuleType

import numpy as np
import pytest
import scipy.sparse

from spadepis.smoothing.bands import from_bands
from spadepis.smoothing.closed_form import _stencil
from spadepis.smoothing.matting_affinity import OFFSETS, matting_affinity, window_counts

SIZES = [(1, 1), (1, 7), (2, 2), (5, 2), (3, 3), (3, 8), (4, 3), (7, 9)]


def symmetric(planes: np.ndarray, width: int) -> scipy.sparse.csc_array:
    """The matrix behind 13 planes [13, H * W]; fails where a plane leaves the image."""
    height = planes.shape[1] // width
    matrix = scipy.sparse.lil_array((height * width,) * 2)
    for plane, (rows, columns) in zip(planes, OFFSETS, strict=True):
        for i, value in enumerate(plane):
            y, x = i // width + rows, i % width + columns
            if y < height and 0 <= x < width:
                matrix[i, y * width + x] = matrix[y * width + x, i] = value
            else:
                assert value == 0
    return scipy.sparse.csc_array(matrix)


@pytest.mark.parametrize("size", SIZES)
def test_counts_and_rows_of_the_affinity(size: tuple[int, int], oracle: ModuleType) -> None:
    content = np.random.default_rng(0).random((*size, 3))
    expected, counts = oracle.affinity(content, 1e-7)
    planes = matting_affinity(content, 1e-7)
    matrix = symmetric(planes.reshape(13, -1), size[1])
    np.testing.assert_array_equal(window_counts(*size).ravel(), counts)
    np.testing.assert_allclose(matrix.toarray(), expected.toarray(), atol=1e-8)
    # The Laplacian D - W annihilates constants.
    np.testing.assert_allclose(matrix.sum(axis=1), counts, atol=1e-8)


@pytest.mark.parametrize("size", SIZES)
def test_stencil_is_the_system_rounded_to_float32(
    size: tuple[int, int], oracle: ModuleType
) -> None:
    content = np.random.default_rng(1).random((*size, 3))
    stencil = np.array(_stencil(content, 0.9999, 1e-7))
    assert stencil.dtype == np.float32
    planes = from_bands(stencil, size[0] * size[1], size[1])
    matrix = symmetric(planes, size[1]).toarray()
    np.testing.assert_allclose(matrix, oracle.system(content).toarray(), atol=1.2e-7)
    # With L constants map to 1 - beta, once D^1/2 takes the scaling out.
    root = np.sqrt(np.maximum(window_counts(*size).ravel(), 1))
    np.testing.assert_allclose(matrix @ root, 1e-4 * root, atol=3e-6)


def test_content_with_equal_channels_stays_accurate(oracle: ModuleType) -> None:
    content = np.random.default_rng(2).random((8, 8, 1)).repeat(3, axis=2)
    matrix = symmetric(matting_affinity(content, 1e-7).reshape(13, -1), 8)
    expected, _ = oracle.affinity(content, 1e-7)
    np.testing.assert_allclose(matrix.toarray(), expected.toarray(), atol=1e-6)
