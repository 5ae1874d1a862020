import numpy as np
import pytest

from spadepis.smoothing.bands import BANDS, from_bands, margin, to_bands

SIZES = [(1, 1), (2, 7), (33, 8), (40, 31), (3, 300)]


@pytest.mark.parametrize("size", SIZES)
def test_bands_hold_each_pixel_and_its_neighbours(size: tuple[int, int]) -> None:
    height, width = size
    pixels, edge = height * width, margin(width)
    planes = np.arange(1, 2 * pixels + 1, dtype=np.float32).reshape(2, pixels)
    bands = to_bands(planes, width)
    assert bands.dtype == np.float32 and bands.ctypes.data % 64 == 0 and bands.shape[1] % BANDS == 0
    np.testing.assert_array_equal(from_bands(bands, pixels, width), planes)

    in_reading_order = np.pad(planes, [(0, 0), (edge, bands.shape[1])])
    length = bands.shape[1] // BANDS - 2 * edge
    assert length >= edge and length * BANDS >= pixels
    # Of the first, of one in the middle and of the last pixel of each band.
    for i in (0, length // 2, length - 1):
        for offset in (-edge, -width, -1, 0, 1, width, edge):
            found = bands[:, BANDS * (edge + i + offset) :][:, :BANDS]
            expected = in_reading_order[:, edge + i + offset :: length][:, :BANDS]
            np.testing.assert_array_equal(found, expected)
